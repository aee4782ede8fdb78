package fanout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"muster/smtp"
)

// zone is a name server: records by "name. TYPE", where a lone word is the code of a failure.
type zone struct {
	mu      sync.Mutex
	records map[string][]string
	asked   map[string]int
	signed  map[string]bool  // what is answered with AD, to who asks for it
	pushy   bool             // to all others too
	meet    func(key string) // called with each question, if set
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	a := new(dns.Msg)
	a.SetReply(q)
	key := dns.CanonicalName(q.Question[0].Name) + " " + dns.TypeToString[q.Question[0].Qtype]
	z.mu.Lock()
	z.asked[key]++
	records := z.records[key]
	a.AuthenticatedData = z.signed[key] && (z.pushy || q.AuthenticatedData)
	meet := z.meet
	z.mu.Unlock()
	if meet != nil {
		meet(key)
	}
	for _, record := range records {
		if code, ok := dns.StringToRcode[record]; ok {
			a.Rcode = code
			continue
		}
		rr, err := dns.NewRR(record)
		if err != nil {
			panic(err)
		}
		a.Answer = append(a.Answer, rr)
	}
	_ = w.WriteMsg(a)
}

func (z *zone) set(key string, records ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[key] = records
}

func (z *zone) count(key string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[key]
}

func newZone(t *testing.T, records map[string][]string) (*zone, *DNS) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{records: records, asked: map[string]int{}}
	s := &dns.Server{PacketConn: conn, Handler: z}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ActivateAndServe()
	}()
	t.Cleanup(func() {
		_ = s.Shutdown()
		<-done
	})
	d, err := NewDNS(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return z, d
}

func TestAddrs(t *testing.T) {
	t.Parallel()
	_, d := newZone(t, map[string][]string{
		"both.example. AAAA":   {"both.example. 60 IN AAAA 2001:db8::1", "both.example. 60 IN AAAA 2001:db8::2"},
		"both.example. A":      {"both.example. 60 IN A 192.0.2.1", "both.example. 60 IN A 192.0.2.2", "both.example. 60 IN A 192.0.2.3"},
		"half.example. AAAA":   {"SERVFAIL"},
		"half.example. A":      {"half.example. 60 IN A 192.0.2.4"},
		"broken.example. AAAA": {"SERVFAIL"},
		"gone.example. AAAA":   {"NXDOMAIN"},
		"gone.example. A":      {"NXDOMAIN"},
		"alias.example. A":     {"alias.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME C.example.", "c.example. 60 IN A 192.0.2.5"},
		"circle.example. A":    {"circle.example. 60 IN CNAME d.example.", "d.example. 60 IN CNAME circle.example."},
		"liar.example. A":      {"bank.example. 60 IN A 192.0.2.6", "liar.example. 60 IN A 192.0.2.7"},
	})
	for host, want := range map[string]string{
		"both.example":  "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3",
		"half.example":  "192.0.2.4",
		"alias.example": "192.0.2.5",
		"liar.example":  "192.0.2.7",
		"empty.example": "",
	} {
		found, err := d.Addrs(t.Context(), host)
		if got := strings.Trim(fmt.Sprint(found), "[]"); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", host, got, err, want)
		}
	}
	if _, err := d.Addrs(t.Context(), "gone.example"); !errors.Is(err, ErrNoDomain) {
		t.Errorf("gone: %v", err)
	}
	for _, host := range []string{"broken.example", "circle.example"} {
		if _, err := d.Addrs(t.Context(), host); err == nil || errors.Is(err, ErrNoDomain) {
			t.Errorf("%s is not known to have no address: %v", host, err)
		}
	}
}

func TestDNSKeepsAnswers(t *testing.T) {
	t.Parallel()
	z, d := newZone(t, map[string][]string{
		"x.example. MX":      {"x.example. 600 IN MX 10 mx.x.example."},
		"broken.example. MX": {"SERVFAIL"},
	})
	for range 3 {
		if mx, err := d.MX(t.Context(), "X.example"); err != nil || len(mx) != 1 {
			t.Fatal(mx, err)
		}
		if _, err := d.MX(t.Context(), "broken.example"); err == nil {
			t.Fatal("no error")
		}
	}
	if n := z.count("x.example. MX"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := z.count("broken.example. MX"); n != dnsRounds {
		t.Errorf("asked %d times for what fails", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.MX(ended, "later.example"); err == nil {
		t.Fatal("no error")
	}
	z.set("later.example. MX", "later.example. 60 IN MX 5 mx.example.")
	if mx, err := d.MX(t.Context(), "later.example"); err != nil || len(mx) != 1 {
		t.Errorf("our own haste was kept as an answer: %v, %v", mx, err)
	}
}

// An answer that comes as its asker gives up is the answer, and not that there is nothing.
func TestAnswerAtTheLastMoment(t *testing.T) {
	t.Parallel()
	z, d := newZone(t, map[string][]string{"x.example. MX": {"x.example. 600 IN MX 10 mx.x.example."}})
	ctx, cancel := context.WithCancel(t.Context())
	z.mu.Lock()
	z.meet = func(string) { cancel() }
	z.mu.Unlock()
	if mx, err := d.MX(ctx, "x.example"); err == nil && len(mx) != 1 {
		t.Errorf("%v, %v", mx, err)
	}
}

func TestAnswersAgeAndAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c answers
		q := question{"x.example.", dns.TypeMX}
		c.put(q, dnsAnswer{}, time.Minute)
		time.Sleep(59 * time.Second)
		if _, ok := c.get(q); !ok {
			t.Error("forgotten early")
		}
		time.Sleep(2 * time.Second)
		if _, ok := c.get(q); ok {
			t.Error("kept too long")
		}
		for i := range 2 * maxAnswers {
			c.put(question{fmt.Sprint(i), dns.TypeA}, dnsAnswer{}, time.Minute)
		}
		if len(c.known) > maxAnswers {
			t.Errorf("%d answers kept", len(c.known))
		}
	})
}

// Answers are as long as whoever gives them likes: who has us ask for many does not take the memory.
func TestAnswersAreBoundedInOctets(t *testing.T) {
	t.Parallel()
	var c answers
	long := dnsAnswer{records: []dns.RR{&dns.TXT{Txt: slices.Repeat([]string{strings.Repeat("x", 255)}, 240)}}}
	for i := range 1000 {
		c.put(question{fmt.Sprint(i % 900), dns.TypeTXT}, long, time.Minute) // some a second time
	}
	octets := 0
	for _, a := range c.known {
		octets += len(a.records[0].(*dns.TXT).Txt) * 255
	}
	if octets > maxAnswerOctets || octets < maxAnswerOctets/2 {
		t.Errorf("%d octets kept", octets)
	}
	for i := range maxAnswers {
		c.put(question{fmt.Sprint("short", i), dns.TypeTXT}, dnsAnswer{}, time.Minute)
	}
	sum := 0
	for _, a := range c.known {
		sum += a.size
	}
	if sum != c.octets {
		t.Errorf("%d octets counted, %d kept", c.octets, sum)
	}
}

func TestTTLs(t *testing.T) {
	t.Parallel()
	rr := func(s string) dns.RR {
		r, err := dns.NewRR(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for record, want := range map[string]time.Duration{
		"x. 0 IN A 192.0.2.1":          minTTL,
		"x. 120 IN A 192.0.2.1":        2 * time.Minute,
		"x. 2147483647 IN A 192.0.2.1": maxTTL,
	} {
		m := &dns.Msg{Answer: []dns.RR{rr(record)}}
		if got := ttlOf(m, m.Answer); got != want {
			t.Errorf("%s: %s, want %s", record, got, want)
		}
	}
	for soa, want := range map[string]time.Duration{
		"x. 3600 IN SOA a. b. 1 2 3 4 60":     time.Minute,
		"x. 30 IN SOA a. b. 1 2 3 4 60":       30 * time.Second,
		"x. 86400 IN SOA a. b. 1 2 3 4 86400": maxNegative,
		"x. 0 IN SOA a. b. 1 2 3 4 0":         minNegative,
	} {
		if got := ttlOf(&dns.Msg{Ns: []dns.RR{rr(soa)}}, nil); got != want {
			t.Errorf("%s: %s, want %s", soa, got, want)
		}
	}
}

// An exchanger may be ourselves by address, whatever it is called.
func TestRouteToOurselves(t *testing.T) {
	t.Parallel()
	names := fakeDNS{
		mx: map[string][]MX{
			"first.example":  {{10, "us.example"}, {20, "a.example"}},
			"equal.example":  {{10, "us.example"}, {10, "a.example"}},
			"backup.example": {{10, "a.example"}, {20, "us.example"}, {20, "b.example"}},
		},
		addrs: map[string][]netip.Addr{"us.example": addrs("192.0.2.9"), "a.example": addrs("192.0.2.1"), "b.example": addrs("192.0.2.2")},
	}
	r := router{hostname: "lists.example", resolver: names, own: func(ip netip.Addr) bool { return ip == netip.MustParseAddr("192.0.2.9") }}
	for domain, want := range map[string][]string{"first.example": nil, "equal.example": nil, "backup.example": {"192.0.2.1:25"}} {
		for range 10 { // equals come in any order
			hops, err := r.hops(t.Context(), domain)
			var got []string
			for _, h := range hops {
				got = append(got, h.addr)
			}
			var reply *smtp.Reply
			if !slices.Equal(got, want) || errors.As(err, &reply) != (want == nil) || reply != nil && reply.Enhanced != smtp.StatusLoop {
				t.Errorf("%s: %v, %v", domain, got, err)
			}
		}
	}
}
