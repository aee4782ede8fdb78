package fanout

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// by sends connections to addresses of tests to the sinks that stand for them.
func by(sinks map[string]*sink) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		s := sinks[host]
		if s == nil {
			<-ctx.Done() // a host that does not answer
			return nil, ctx.Err()
		}
		return new(net.Dialer).DialContext(ctx, network, s.addr())
	}
}

func addrs(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }

// One destination says 421, one does not answer, one has no MX that works: the good one gets its
// copies at once, in shards of its own and in mixed ones.
func TestBadDestinationsDelayNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	good, busy := newSink(t), newSink(t)
	busy.greeting = "421 4.3.2 not now"
	good.serve()
	busy.serve()
	c := w.config(nil)
	c.pace.slot = 300 * time.Millisecond
	c.Resolver = fakeDNS{
		mx: map[string][]MX{"null.example": {{0, ""}}},
		addrs: map[string][]netip.Addr{
			"good.example": addrs("192.0.2.1"), "fine.example": addrs("192.0.2.1"), "busy.example": addrs("192.0.2.2"), "silent.example": addrs("192.0.2.3"),
		},
	}
	c.DialContext = by(map[string]*sink{"192.0.2.1": good, "192.0.2.2": busy})
	for i := range 100 {
		for _, d := range []string{"good.example", "busy.example", "silent.example"} {
			w.member(list, fmt.Sprintf("m%d@%s", i, d))
		}
	}
	for _, d := range []string{"fine.example", "busy.example", "silent.example", "null.example", "unknown.example"} {
		w.member(list, "one@"+d)
		w.member(list, "two@"+d)
	}
	e, _ := w.start(c)
	start := time.Now()
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "all good copies", func() bool { return good.copies.Load() == 102 })
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the good copies took %v", took)
	}
	eventually(t, "bounces", func() bool {
		return w.count(`SELECT count(*) FROM bounce WHERE hard AND status IN ('5.1.2', '5.1.10')`) == 4
	})
	good.once(t, 102)
	eventually(t, "the last outcome saved", func() bool {
		p, err := e.Progress(context.Background(), post)
		return err == nil && p.Delivered == 102 && p.Bounced == 4 && p.Copies == 310
	})
	status, err := e.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	blocked := map[string]string{}
	for _, d := range status.Destinations {
		if !d.Blocked.IsZero() {
			blocked[d.Name] = d.Reply
		}
	}
	if !strings.Contains(blocked["mx:busy.example"], "421") || len(blocked) > 2 {
		t.Errorf("blocked: %v", blocked)
	}
}

// Of a mixed shard the destinations that do not answer are waited for together, not one after the
// other.
func TestSilentDestinationsAreWaitedForTogether(t *testing.T) {
	t.Parallel()
	const silent = 60
	w := newWorld(t)
	list := w.list("dev", 1)
	good := newSink(t).serve()
	names := fakeDNS{addrs: map[string][]netip.Addr{"z.example": addrs("192.0.2.1")}}
	for i := range silent {
		domain := fmt.Sprintf("a%02d.example", i)
		names.addrs[domain] = addrs("192.0.2.3")
		w.member(list, "x@"+domain)
	}
	w.member(list, "x@z.example")
	c := w.config(nil)
	c.Resolver, c.DialContext, c.Connections = names, by(map[string]*sink{"192.0.2.1": good}), 1
	c.pace.slot = time.Second
	e, _ := w.start(c)
	started := time.Now()
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "the good copy", func() bool { return good.copies.Load() == 1 })
	if took := time.Since(started); took > silent/3*time.Second {
		t.Errorf("the good copy took %v", took)
	}
	good.once(t, 1)
}

// 5 days without success are a bounce, whatever state the copy waits in.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 20, 2)
	s := newSink(t)
	s.rcpt = func(to string) string { return "450 4.2.1 mailbox busy" }
	c := w.config(s.serve())
	quick(&c)
	e, _ := w.start(c)
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "all deferred more than once", func() bool {
		return w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND attempts > 1`) == 20
	})
	w.exec(`UPDATE fanout SET expires = now()`)
	w.finished()
	if n := w.count(`SELECT count(*) FROM bounce WHERE source = 'expired' AND NOT hard AND text LIKE '450%'`); n != 20 {
		t.Errorf("%d bounces", n)
	}
	p, err := e.Progress(context.Background(), post)
	if err != nil || p.Bounced != 20 || !p.Finished {
		t.Errorf("%+v, %v", p, err)
	}
	if n, err := e.Prune(context.Background(), time.Now().Add(time.Hour)); n == 0 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	if after, err := e.Progress(context.Background(), post); err != nil || after.Bounced != 20 || w.count(`SELECT count(*) FROM shard`) != 0 {
		t.Errorf("after pruning %+v, %v", after, err)
	}
}

// Shards that nobody could send for five days bounce too.
func TestExpiryOfADeadDestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 120, 2)
	c := w.config(newSink(t)) // which does not answer
	c.Relays = []Relay{{Addr: "127.0.0.1:1"}}
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "blocked", func() bool {
		return w.count(`SELECT count(*) FROM destination WHERE blocked IS NOT NULL`) == 1
	})
	w.exec(`UPDATE fanout SET expires = now()`)
	w.finished()
	if n := w.count(`SELECT count(*) FROM bounce WHERE source = 'expired' AND text <> ''`); n != 120 {
		t.Errorf("%d bounces", n)
	}
}
