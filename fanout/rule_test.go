package fanout

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Rate{"100/m": {100, time.Minute}, "1 / s": {1, time.Second}, "7/h": {7, time.Hour}, "3/d": {3, 24 * time.Hour}, "": {}} {
		if got, err := ParseRate(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"100", "0/m", "-1/m", "x/m", "1/w", "1/", "/m", "9999999999/s"} {
		if got, err := ParseRate(bad); !errors.Is(err, ErrRate) {
			t.Errorf("%s: %v, %v", bad, got, err)
		}
	}
}

func TestRulesOf(t *testing.T) {
	t.Parallel()
	rs := rules{{Match: []string{"corp.example"}, Connections: 1}, {Match: []string{"*.big.example"}, Connections: 2}, {Match: []string{"*"}, Connections: 3}}
	mx := []MX{{10, "mx1.big.example"}, {20, "mx2.big.example"}}
	for _, tt := range []struct {
		domain string
		mx     []MX
		want   int
		name   string
	}{
		{"corp.example", mx, 1, "mxset:mx1.big.example>mx2.big.example for corp.example"},
		{"club.example", mx, 2, "mxset:mx1.big.example>mx2.big.example"},
		{"else.example", []MX{{10, "mx.else.example"}}, 3, "mxset:mx.else.example for *"},
	} {
		r, name := rs.ofSet(tt.domain, tt.mx)
		if r == nil || r.Connections != tt.want || name != tt.name {
			t.Errorf("%s: %+v, %s", tt.domain, r, name)
		}
	}
	if r := rs[:2].ofRelays(newRelayGroups([]Relay{{Addr: "out.big.example:25"}})[0]); r == nil || r.Connections != 2 {
		t.Errorf("relay: %+v", r)
	}
	if r, own := rs[:2].of("else.example", []string{"mx.else.example"}); r != nil || own {
		t.Errorf("no rule is %+v", r)
	}
}

// Of what a rule allows each node takes its share.
func TestRuleIsSharedByNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := &traffic{connections: 20, living: new(atomic.Int64)}
		l := &lane{traffic: tr, window: 100, rule: &Rule{Connections: 6, Rate: Rate{60, time.Minute}, Recipients: 80}}
		for nodes, want := range map[int64]int{1: 6, 2: 3, 10: 1} {
			if tr.living.Store(nodes); l.limit() != want {
				t.Errorf("%d nodes: %d connections each, want %d", nodes, l.limit(), want)
			}
		}
		if l.batch() != 60 {
			t.Errorf("%d recipients, want those of one minute", l.batch())
		}
		tr.living.Store(2)
		copies, start := 0, time.Now()
		for time.Since(start) < 10*time.Minute {
			wait, ok := l.book(5)
			if ok {
				copies += 5
			}
			time.Sleep(wait)
		}
		if copies < 300 || copies > 310 {
			t.Errorf("%d copies in ten minutes, of two nodes with 60 a minute together", copies)
		}
		l.book(5)
		before := l.turn
		if wait, ok := l.book(1); ok || wait <= time.Second || l.turn != before {
			t.Errorf("booked %v, %v", wait, ok)
		}
		l.rule = nil
		if wait, ok := l.book(math.MaxInt); wait != 0 || !ok {
			t.Error("waits without a rate")
		}
	})
}

// A destination with a rule has its connections and recipients; others are not bound by it.
func TestRuleIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	for i := range 300 {
		w.member(list, fmt.Sprintf("m%d@tight.example", i))
		w.member(list, fmt.Sprintf("m%d@free.example", i))
	}
	tight, free := newSink(t), newSink(t)
	open := &openConns{Listener: tight.listener}
	tight.listener = open
	most := func(s *sink, n *int) {
		var mu sync.Mutex
		s.taken = func(l *letter) {
			mu.Lock()
			*n = max(*n, len(l.to))
			mu.Unlock()
		}
	}
	var ofTight, ofFree int
	most(tight, &ofTight)
	most(free, &ofFree)
	c := w.config(nil)
	c.Rules = []Rule{{Match: []string{"tight.example"}, Connections: 2, Recipients: 7}}
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"tight.example": addrs("192.0.2.1"), "free.example": addrs("192.0.2.2")}}
	c.DialContext = by(map[string]*sink{"192.0.2.1": tight.serve(), "192.0.2.2": free.serve()})
	w.post(list, testMessage)
	w.start(c)
	w.finished()
	tight.once(t, 300)
	free.once(t, 300)
	if n := open.most.Load(); n > 2 || ofTight != 7 || ofFree <= 7 {
		t.Errorf("%d connections, %d and %d recipients", n, ofTight, ofFree)
	}
}

// openConns counts the connections that are open.
type openConns struct {
	net.Listener
	open, most atomic.Int64
}

func (l *openConns) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	n := l.open.Add(1)
	for most := l.most.Load(); n > most && !l.most.CompareAndSwap(most, n); most = l.most.Load() {
	}
	return &openConn{Conn: c, l: l}, nil
}

type openConn struct {
	net.Conn
	l    *openConns
	once sync.Once
}

func (c *openConn) Close() error {
	c.once.Do(func() { c.l.open.Add(-1) })
	return c.Conn.Close()
}

// In a shard of many domains those whose rate leaves no room wait for themselves.
func TestRateHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for i := range 10 {
		w.member(list, fmt.Sprintf("m%d@a-slow.example", i))
		w.member(list, fmt.Sprintf("m%d@free.example", i))
	}
	slow, free := newSink(t).serve(), newSink(t).serve()
	c := w.config(nil)
	c.Rules = []Rule{{Match: []string{"a-slow.example"}, Rate: Rate{2, time.Hour}}}
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"a-slow.example": addrs("192.0.2.1"), "free.example": addrs("192.0.2.2")}}
	c.DialContext = by(map[string]*sink{"192.0.2.1": slow, "192.0.2.2": free})
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "the others, and who waits", func() bool {
		return free.copies.Load() == 10 && w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND attempts = 0 AND reply LIKE '%rate%'`) == 9
	})
	slow.once(t, 1)
	free.once(t, 10)
}

// What waits for its turn obeys as what is sent at once does: nobody gets a copy who has left, nor of
// what was dropped or held.
func TestWhoWaitsForATurnObeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		rate Rate
		does func(t *testing.T, w *world, e *Engine, post uuid.UUID)
	}{
		{"leaves", Rate{15, time.Minute}, func(t *testing.T, w *world, _ *Engine, _ uuid.UUID) {
			w.exec(`UPDATE member SET left_at = now() WHERE key <> 'm000000@d0.example'`)
			w.finished()
		}},
		{"drop", Rate{2, time.Hour}, func(t *testing.T, w *world, e *Engine, post uuid.UUID) {
			if _, err := e.Drop(t.Context(), Selection{Post: post}, "ann@a.example"); err != nil {
				t.Fatal(err)
			}
			w.finished()
		}},
		{"hold", Rate{2, time.Hour}, func(t *testing.T, w *world, e *Engine, post uuid.UUID) {
			if _, err := e.Hold(t.Context(), Selection{Post: post}, "ann@a.example"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "shards put by", func() bool {
				return w.count(`SELECT count(*) FROM shard WHERE state IN ('ready', 'claimed')`) == 0
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 1)
			w.members(list, ownShards, 1) // one shard
			s := newSink(t).serve()
			c := w.config(nil)
			c.Rules = []Rule{{Match: []string{"d0.example"}, Rate: tt.rate}}
			c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"d0.example": addrs("192.0.2.1")}}
			c.DialContext = by(map[string]*sink{"192.0.2.1": s})
			e, _ := w.start(c)
			post := w.post(list, testMessage)
			eventually(t, "the first copy, and its outcome", func() bool {
				return w.count(`SELECT COALESCE(sum(sent), 0) FROM shard`) == 1
			})
			tt.does(t, w, e, post)
			s.once(t, 1)
		})
	}
}
