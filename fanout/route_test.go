package fanout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// fakeDNS answers from maps; a missing name does not exist.
type fakeDNS struct {
	mx    map[string][]MX
	addrs map[string][]netip.Addr
	err   error
}

func (f fakeDNS) MX(_ context.Context, domain string) ([]MX, error) {
	if f.err != nil {
		return nil, f.err
	}
	found, ok := f.mx[domain]
	if !ok {
		if _, ok := f.addrs[domain]; !ok {
			return nil, ErrNoDomain
		}
	}
	return slices.Clone(found), nil
}

func (f fakeDNS) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	if found, ok := f.addrs[host]; ok {
		return found, nil
	}
	return nil, ErrNoDomain
}

func TestRoute(t *testing.T) {
	t.Parallel()
	ip := func(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }
	names := fakeDNS{
		mx: map[string][]MX{
			"two.example":      {{20, "b.example"}, {10, "a.example"}},
			"null.example":     {{0, ""}},
			"ours.example":     {{10, "lists.example"}, {20, "a.example"}},
			"backup.example":   {{10, "a.example"}, {20, "LISTS.example"}, {30, "b.example"}},
			"nowhere.example":  {{10, "gone.example"}},
			"implicit.example": nil,
		},
		addrs: map[string][]netip.Addr{
			"a.example": ip("192.0.2.1"), "b.example": ip("2001:db8::2"), "implicit.example": ip("192.0.2.3"), "lists.example": ip("192.0.2.9"),
		},
	}
	tests := []struct {
		domain string
		want   []string
		status smtp.Enhanced
	}{
		{"two.example", []string{"192.0.2.1:25", "[2001:db8::2]:25"}, smtp.Enhanced{}},
		{"implicit.example", []string{"192.0.2.3:25"}, smtp.Enhanced{}},
		{"backup.example", []string{"192.0.2.1:25"}, smtp.Enhanced{}},
		{"[192.0.2.7]", []string{"192.0.2.7:25"}, smtp.Enhanced{}},
		{"[IPv6:2001:db8::7]", []string{"[2001:db8::7]:25"}, smtp.Enhanced{}},
		{"null.example", nil, smtp.Enhanced{5, 1, 10}},
		{"ours.example", nil, smtp.StatusLoop},
		{"unknown.example", nil, smtp.Enhanced{5, 1, 2}},
		{"nowhere.example", nil, smtp.Enhanced{5, 1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.domain, func(t *testing.T) {
			r := router{hostname: "lists.example", resolver: names}
			hops, err := r.hops(context.Background(), tt.domain)
			var got []string
			for _, h := range hops {
				got = append(got, h.addr)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			var reply *smtp.Reply
			if errors.As(err, &reply) != (tt.want == nil) || reply != nil && reply.Enhanced != tt.status {
				t.Errorf("error %v", err)
			}
		})
	}
	r := router{hostname: "lists.example", resolver: fakeDNS{err: errors.New("SERVFAIL")}}
	var reply *smtp.Reply
	if _, err := r.hops(context.Background(), "two.example"); err == nil || errors.As(err, &reply) {
		t.Errorf("a DNS that fails is no answer: %v", err)
	}
}

// Nobody makes Muster speak to itself, or to hosts that only it can reach, by becoming a member there.
func TestAddressLiterals(t *testing.T) {
	t.Parallel()
	r := router{hostname: "lists.example", own: func(ip netip.Addr) bool {
		return ip == netip.MustParseAddr("192.0.2.9") || ip == netip.MustParseAddr("127.0.0.1")
	}}
	bad := smtp.Enhanced{5, 1, 3}
	for domain, want := range map[string]smtp.Enhanced{
		"[192.0.2.7]": {}, "[IPv6:2001:db8::7]": {}, "[ipv6:::ffff:192.0.2.7]": {},
		"[192.0.2.9]": smtp.StatusLoop, "[IPv6:::ffff:192.0.2.9]": smtp.StatusLoop, "[127.0.0.1]": smtp.StatusLoop,
		"[127.0.0.2]": bad, "[IPv6:::1]": bad, "[IPv6:::ffff:10.1.2.3]": bad, "[10.1.2.3]": bad, "[172.16.0.1]": bad, "[192.168.1.1]": bad,
		"[169.254.169.254]": bad, "[IPv6:fe80::1]": bad, "[IPv6:fd00::1]": bad, "[IPv6:fe80::1%eth0]": bad, "[100.64.0.1]": bad,
		"[0.0.0.0]": bad, "[0.0.0.1]": bad, "[IPv6:::]": bad, "[224.0.0.1]": bad, "[IPv6:ff02::1]": bad, "[255.255.255.255]": bad, "[240.0.0.1]": bad,
		"[IPv6:64:ff9b::a01:203]": bad, "[IPv6:2002:a01:203::1]": bad, "[IPv6:::7f00:1]": bad, "[IPv6:fec0::1]": bad, "[x]": bad,
	} {
		hops, err := r.hops(t.Context(), domain)
		var reply *smtp.Reply
		errors.As(err, &reply)
		switch {
		case want == (smtp.Enhanced{}):
			if err != nil || len(hops) != 1 {
				t.Errorf("%s: %v, %v", domain, hops, err)
			}
		case reply == nil || reply.Enhanced != want || hops != nil:
			t.Errorf("%s: %v, %v", domain, hops, err)
		}
	}
}

// slowDNS takes its time for each host, and then knows nothing.
type slowDNS struct {
	fakeDNS
	takes time.Duration
	asked *int
}

func (d slowDNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	*d.asked++
	select {
	case <-time.After(d.takes):
		return nil, errors.New("no answer")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A domain with a thousand exchangers that the DNS does not answer for is waited for as long as another.
func TestManyExchangersAreNotLookedUp(t *testing.T) {
	t.Parallel()
	for takes, want := range map[time.Duration]time.Duration{time.Second: maxExchangers * time.Second, 8 * time.Second: routeTime} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			names := slowDNS{fakeDNS{mx: map[string][]MX{}}, takes, &asked}
			for i := range 1000 {
				names.mx["many.example"] = append(names.mx["many.example"], MX{uint16(i), fmt.Sprintf("mx%d.example", i)})
			}
			l := &lane{domain: "many.example", traffic: &traffic{router: &router{resolver: names}}}
			began := time.Now()
			var final *smtp.Reply
			if hops, err := l.hops(t.Context()); hops != nil || err == nil || errors.As(err, &final) {
				t.Errorf("%v, %v", hops, err)
			}
			if took := time.Since(began); asked != maxExchangers || took != want {
				t.Errorf("asked %d times, for %s", asked, took)
			}
		})
	}
}

func TestParseRelay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, addr string
		tls      smtpclient.TLSPolicy
		user     string
	}{
		{"smtp://127.0.0.1:2525", "127.0.0.1:2525", smtpclient.TLSOpportunistic, ""},
		{"smtp://mx.example", "mx.example:25", smtpclient.TLSOpportunistic, ""},
		{"smtps://me:p%40ss@mx.example", "mx.example:465", smtpclient.TLSImplicit, "me"},
		{"smtp://[::1]:26/", "[::1]:26", smtpclient.TLSOpportunistic, ""},
		{"lmtp://me:p%40ss@mx.example", "mx.example:24", smtpclient.TLSOpportunistic, "me"},
		{"https://me:p%40ss@web.example/in", "web.example:443", smtpclient.TLSImplicit, "me"},
		{"http://me:p%40ss@127.0.0.1/in", "127.0.0.1:80", smtpclient.TLSOpportunistic, "me"},
		{"http://web.example:8080/in", "web.example:8080", smtpclient.TLSOpportunistic, ""},
		{"lmtp+unix:/run/dovecot/lmtp", "/run/dovecot/lmtp", smtpclient.TLSNone, ""},
		{"lmtp+unix:///run/dovecot/lmtp", "/run/dovecot/lmtp", smtpclient.TLSNone, ""},
	}
	for _, tt := range tests {
		r, err := ParseRelay(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		user := ""
		if r.Auth != nil {
			user = r.Auth.User
			if r.Auth.Password != "p@ss" {
				t.Errorf("password %q", r.Auth.Password)
			}
		}
		if r.LMTP != strings.HasPrefix(tt.in, "lmtp") {
			t.Errorf("%s: LMTP %v", tt.in, r.LMTP)
		}
		if r.Addr != tt.addr || r.TLS != tt.tls || user != tt.user {
			t.Errorf("%s: %+v", tt.in, r)
		}
	}
	for _, bad := range []string{"", "127.0.0.1:25", "gopher://x", "https://", "https://x/?key=1", "https://x/#a", "http:x", "smtp://", "smtp://x:y:z", "smtp://h/path", "lmtp+unix:", "lmtp+unix:run/lmtp", "lmtp+unix://host/run/lmtp", "lmtp+unix:/"} {
		if _, err := ParseRelay(bad); !errors.Is(err, ErrRelay) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := ParseRelay("http://me:p%40ss@web.example/in"); !errors.Is(err, ErrPlainHTTP) {
		t.Errorf("a password in clear: %v", err)
	}
	if _, err := ParseRelay("lmtp://mx.example:25"); !errors.Is(err, ErrLMTPPort) {
		t.Errorf("LMTP on port 25: %v", err)
	}
}

func TestDNS(t *testing.T) {
	t.Parallel()
	zone := map[string]string{
		"x.example. MX":    "x.example. 60 IN MX 10 mx.x.example.",
		"null.example. MX": "null.example. 60 IN MX 0 .",
		"mx.x.example. A":  "mx.x.example. 60 IN A 192.0.2.1",
		"big.example. MX":  "big.example. 60 IN MX 5 big.example.",
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		name, kind := q.Question[0].Name, dns.TypeToString[q.Question[0].Qtype]
		record, ok := zone[name+" "+kind]
		_, udp := w.RemoteAddr().(*net.UDPAddr)
		switch {
		case name == "broken.example.":
			a.Rcode = dns.RcodeServerFailure
		case name == "big.example." && udp:
			a.Truncated = true
		case ok:
			rr, _ := dns.NewRR(record)
			a.Answer = append(a.Answer, rr)
		case name == "nx.example.":
			a.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(a)
	})
	for _, s := range []*dns.Server{{PacketConn: conn, Handler: handler}, {Listener: listener, Handler: handler}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	d, err := NewDNS(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for domain, want := range map[string][]MX{
		"x.example": {{10, "mx.x.example"}}, "null.example": {{0, ""}}, "big.example": {{5, "big.example"}}, "mx.x.example": nil,
	} {
		if got, err := d.MX(ctx, domain); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", domain, got, err)
		}
	}
	if got, err := d.Addrs(ctx, "mx.x.example"); err != nil || len(got) != 1 || got[0].String() != "192.0.2.1" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := d.MX(ctx, "nx.example"); !errors.Is(err, ErrNoDomain) {
		t.Errorf("%v", err)
	}
	if _, err := d.MX(ctx, "broken.example"); err == nil || errors.Is(err, ErrNoDomain) {
		t.Errorf("%v", err)
	}
}
