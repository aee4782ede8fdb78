package fanout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, domain string
		want            bool
	}{
		{"*", "a.example", true},
		{"A.Example", "a.example", true},
		{"a.example", "b.a.example", false},
		{"*.a.example", "b.a.example", true},
		{"*.a.example", "c.B.A.example", true},
		{"*.a.example", "a.example", false},
		{"*.a.example", "ba.example", false},
		{"::1", "::1", true},
		{"bücher.example", "xn--bcher-kva.example", true},
	} {
		p, err := ParsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		if got := fits([]string{"else.example", p}, tt.domain); got != tt.want {
			t.Errorf("%s fits %s: %v", tt.pattern, tt.domain, got)
		}
	}
	for _, bad := range []string{"", "*.", "a.*.example", "**", "*a.example", "a b"} {
		if p, err := ParsePattern(bad); !errors.Is(err, ErrPattern) {
			t.Errorf("%q is %q, %v", bad, p, err)
		}
	}
}

func TestRelayGroups(t *testing.T) {
	t.Parallel()
	groups := newRelayGroups([]Relay{
		{Addr: "rest:25"},
		{Addr: "big1:25", ForRecipientDomain: []string{"big.example", "*.big.example"}, Weight: 3},
		{Addr: "club:25", ForListDomain: []string{"club.example"}},
		{Addr: "big2:25", ForRecipientDomain: []string{"*.big.example", "big.example"}},
		{Addr: "both:25", ForListDomain: []string{"club.example"}, ForRecipientDomain: []string{"x.example"}},
	})
	names := []string{"relay to *.big.example,big.example", "relay of club.example", "relay of club.example to x.example", "relay"}
	for i, g := range groups {
		if g.name != names[i] || groups.named(g.name) != g || !isRelay(g.name) {
			t.Errorf("group %d is %q", i, g.name)
		}
	}
	if n := len(groups[0].hops); len(groups) != 4 || n != 2 {
		t.Errorf("%d groups, %d of them for big.example", len(groups), n)
	}
	for _, tt := range [][3]string{
		{"club.example", "a.big.example", names[0]}, {"club.example", "x.example", names[1]}, {"a.example", "x.example", "relay"},
	} {
		if g := groups.of(tt[0], tt[1]); g.name != tt[2] {
			t.Errorf("from %s to %s: %s, want %s", tt[0], tt[1], g.name, tt[2])
		}
	}
	if groups.whole("club.example") != nil || groups.all() != nil {
		t.Error("the recipient does not matter")
	}
	club := newRelayGroups([]Relay{{ForListDomain: []string{"club.example"}}})
	if club.whole("club.example") == nil || club.whole("a.example") != nil || club.of("a.example", "x.example") != nil || club.all() != nil {
		t.Error("only lists of club.example have a relay")
	}
}

// Of many connections each relay gets its share.
func TestRelaysByWeight(t *testing.T) {
	t.Parallel()
	hops := newRelayGroups([]Relay{{Addr: "a:25", Weight: 3}, {Addr: "b:25"}})[0].hops
	first := map[string]int{}
	for range 4000 {
		order := byWeight(hops)
		if len(order) != 2 || order[0] == order[1] {
			t.Fatalf("order %v", order)
		}
		first[order[0].addr]++
	}
	if a := first["a:25"]; a < 2800 || a > 3200 { // 10 standard deviations
		t.Errorf("weight 3 of 4 was first in %d of 4000", a)
	}
}

func TestPlanForRelays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for i := range 30 {
		for _, d := range []string{"big.example", "own.example", "sub.big.example"} {
			w.member(list, fmt.Sprintf("m%d@%s", i, d))
		}
	}
	w.member(list, "one@few.example")
	w.post(list, testMessage)
	relays := []Relay{
		{ForListDomain: []string{"other.example"}}, {ForListDomain: []string{"lists.example"}, ForRecipientDomain: []string{"big.example", "*.big.example"}},
	}
	got := map[string]int{}
	for dest, members := range w.planFor(relays...) {
		got[dest] = len(members)
	}
	if want := map[string]int{"relay of lists.example to *.big.example,big.example": 60, "mx:own.example": 30, "mixed": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("planned %v, want %v", got, want)
	}
	w.exec(`TRUNCATE fanout CASCADE`)
	w.post(list, testMessage)
	if got := w.planFor(Relay{ForListDomain: []string{"lists.example"}}); len(got["relay of lists.example"]) != 91 {
		t.Errorf("planned %v", got)
	}
}

// Some relays are down, refuse at the greeting, or fall silent: the mail goes to those that are left.
func TestRelaysStandInForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 300, 3)
	busy, full, good := newSink(t), newSink(t), newSink(t)
	busy.greeting = "421 4.3.2 not now"
	full.greeting = "451 4.3.1 no space"
	c := w.config(nil)
	for _, s := range []*sink{busy.serve(), full.serve(), good.serve()} {
		c.Relays = append(c.Relays, s.relay()...)
	}
	c.Relays = append(c.Relays, Relay{Addr: "127.0.0.1:1", Weight: 100})
	c.Connections = 3
	w.post(list, testMessage)
	w.start(c)
	w.finished()
	good.once(t, 300)
	if n := w.count(`SELECT count(*) FROM destination WHERE failures > 0`); n != 0 {
		t.Error("the destination is in trouble, though one of its relays is not")
	}
	if n := busy.accepted.Load() + full.accepted.Load(); n > 2*int64(c.Connections) {
		t.Errorf("relays that do not want us were asked %d times", n)
	}
}

// Mail goes to the relay for its list, to that for its recipient, or to the MX; and so does what was
// planned before they were configured.
func TestRelaysForDomains(t *testing.T) {
	t.Parallel()
	for _, before := range [][]Relay{nil, {{Addr: "127.0.0.1:1"}}} {
		w := newWorld(t)
		list := w.list("dev", 1)
		for i := range 30 {
			for _, d := range []string{"big.example", "own.example"} {
				w.member(list, fmt.Sprintf("m%d@%s", i, d))
			}
		}
		w.member(list, "one@few.example")
		w.member(list, "one@sub.big.example")
		big, mx := newSink(t).serve(), newSink(t).serve()
		c := w.config(nil)
		c.Relays = []Relay{{Addr: big.addr(), ForRecipientDomain: []string{"big.example", "*.big.example"}}, {Addr: "127.0.0.1:1", ForListDomain: []string{"other.example"}}}
		c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"own.example": addrs("192.0.2.1"), "few.example": addrs("192.0.2.1")}}
		c.DialContext = dialTo(map[string]*sink{"192.0.2.1": mx})
		w.post(list, testMessage)
		if before != nil {
			w.planFor(before...)
		}
		w.start(c)
		w.finished()
		mx.once(t, 31)
		big.once(t, 31)
		for to := range big.got() {
			if !strings.HasSuffix(to, "big.example") {
				t.Errorf("%s went to the relay of others", to)
			}
		}
	}
}

// dialTo sends connections to addresses of tests to the sinks that stand for them, others where they
// say.
func dialTo(sinks map[string]*sink) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(addr); sinks[host] != nil {
			addr = sinks[host].addr()
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

func TestRelayLanesOpenInOrder(t *testing.T) {
	t.Parallel()
	l := &lane{lessons: map[string]lesson{"a:25": {silent: true}}}
	hops := newRelayGroups([]Relay{{Addr: "a:25", Weight: 1000}, {Addr: "b:25"}})[0].hops
	for range 50 {
		if got := l.ranked(hops); got[0].addr != "b:25" {
			t.Fatalf("a relay that does not answer is tried first: %v", got)
		}
	}
}
