package main

import (
	"net"
	"strings"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptNameserver answers questions to the DNS from a zone file, and sets DNS to where:
// "nameserver FILE".
func scriptNameserver(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: nameserver FILE")
	}
	var records []dns.RR
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		r, err := dns.NewRR(line)
		ts.Check(err)
		records = append(records, r)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	ts.Check(err)
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		a.Rcode = dns.RcodeNameError
		for _, r := range records {
			if !strings.EqualFold(r.Header().Name, q.Question[0].Name) {
				continue
			}
			a.Rcode = dns.RcodeSuccess
			if r.Header().Rrtype == q.Question[0].Qtype {
				a.Answer = append(a.Answer, r)
			}
		}
		_ = w.WriteMsg(a)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ActivateAndServe()
	}()
	ts.Defer(func() {
		_ = server.Shutdown()
		<-done
	})
	ts.Setenv("DNS", conn.LocalAddr().String())
}
