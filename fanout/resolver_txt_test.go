package fanout

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"muster/lists/dkim"
)

// TestTXT asks a server that has read the line we tell people to paste.
func TestTXT(t *testing.T) {
	t.Parallel()
	key := testKeys()[0]
	text, err := key.Record()
	if err != nil {
		t.Fatal(err)
	}
	record, err := dns.NewRR(dkim.ZoneLine(key.String(), text))
	if err != nil {
		t.Fatalf("a name server does not read %q: %v", dkim.ZoneLine(key.String(), text), err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		if q.Question[0].Name == record.Header().Name && q.Question[0].Qtype == dns.TypeTXT {
			a.Answer = append(a.Answer, record)
		} else {
			a.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(a)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	d, err := NewDNS(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.TXT(context.Background(), key.String()); err != nil || !slices.Equal(got, []string{text}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := d.TXT(context.Background(), "other.example"); !errors.Is(err, ErrNoDomain) {
		t.Errorf("%v", err)
	}
}
