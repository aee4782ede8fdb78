package fanout

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A node that meets a destination only in shards of many leaves it alone when another one, which also met it only
// there, found it in trouble, even by way of another domain; and goes there when somebody wants it tried again.
func TestTroubleInShardsOfManyIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.list("first", 1), w.list("second", 1)
	w.member(first, "ann@dead.example")
	w.member(second, "ben@twin.example") // at the same host
	w.member(second, "cid@good.example")
	s := newSink(t).serve()
	c := w.config(nil)
	quick(&c)
	c.pace.block = func(int) time.Duration { return longestBlock }
	c.Resolver = fakeDNS{
		mx:    map[string][]MX{"dead.example": {{10, "mx.example"}}, "twin.example": {{10, "mx.example"}}},
		addrs: map[string][]netip.Addr{"mx.example": addrs("192.0.2.1"), "good.example": addrs("192.0.2.2")},
	}
	var up atomic.Bool
	var dialled atomic.Int64
	c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "192.0.2.1:") {
			if dialled.Add(1); !up.Load() {
				return nil, errors.New("no route to it")
			}
		}
		return new(net.Dialer).DialContext(ctx, network, s.addr())
	}
	w.post(first, testMessage)
	_, stop := w.start(c)
	eventually(t, "it is told", func() bool {
		return w.count(`SELECT count(*) FROM trouble WHERE lane = 'mxset:mx.example' AND failures = 1 AND until > now() AND reply LIKE '%no route%'`) == 1
	})
	stop()
	if n := w.count(`SELECT count(*) FROM destination WHERE blocked IS NOT NULL`); n != 0 {
		t.Fatalf("%d rows of destinations say so, the test shows nothing", n)
	}
	before := dialled.Load()
	up.Store(true)
	other, _ := w.start(c)
	w.post(second, testMessage)
	other.Wake()
	eventually(t, "the good one is served, the other is put off with the reason", func() bool {
		return s.got()["cid@good.example"] == 1 && w.count(`SELECT count(*) FROM delivery d JOIN member m ON m.id = d.member
			WHERE m.domain = 'twin.example' AND d.state = 'deferred' AND d.attempts = 0 AND d.reply LIKE '%no route%'`) == 1
	})
	if n := dialled.Load() - before; n != 0 {
		t.Errorf("it was connected to %d times", n)
	}
	if _, _, err := other.Retry(t.Context(), Selection{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are served when that is wanted", func() bool {
		return s.got()["ben@twin.example"] == 1 && s.got()["ann@dead.example"] == 1
	})
	eventually(t, "the trouble is over for all", func() bool { return w.count(`SELECT count(*) FROM trouble`) == 0 })
}

// What a lane makes of what it is told.
func TestHearOfTrouble(t *testing.T) {
	t.Parallel()
	newLane := func() *lane { return &lane{traffic: &traffic{}, window: 8, freed: make(chan struct{})} }
	now := time.Now()
	row := &troubleRow{Failures: 3, Left: time.Minute, Age: time.Second, Reply: "down"}

	l := newLane()
	if !l.hearOf(row, now) || !l.blocked() || l.failures != 3 || l.window != 1 || !strings.Contains(l.leftAlone().Error(), "down") {
		t.Errorf("trouble: %v, %d failures, window %d", l.leftAlone(), l.failures, l.window)
	}
	if l.hearOf(row, now) {
		t.Error("the same again is news")
	}
	if l.hearOf(nil, now); l.blocked() || l.failures != 0 {
		t.Error("its end is not heeded")
	}

	l = newLane()
	if l.hearOf(&troubleRow{Failures: 3, Left: -time.Minute}, now) || l.blocked() || l.failures != 3 || l.window != 1 {
		t.Error("what is over is not begun with one connection")
	}

	l = newLane()
	l.well = now.Add(-time.Millisecond)
	if l.hearOf(row, now) || l.blocked() || l.failures != 0 {
		t.Error("what was delivered since does not count")
	}

	l = newLane() // trouble of its own, which others do not know yet
	l.failures, l.until = 1, now.Add(time.Minute)
	if l.hearOf(nil, now); !l.blocked() || l.failures != 1 {
		t.Error("its own trouble is over before it was told")
	}
	l.told = now.Add(-time.Second)
	if l.hearOf(nil, now); l.blocked() || l.failures != 1 {
		t.Error("another node's success is not heeded")
	}
}
