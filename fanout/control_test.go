package fanout

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// Deferred copies that would wait an hour go out when somebody asks, and those of others wait on.
func TestRetryOfDeferredCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, other := w.list("dev", 1), w.list("other", 1)
	w.members(list, 20, 2)
	w.members(other, 5, 2)
	s := newSink(t)
	var busy atomic.Bool
	busy.Store(true)
	s.rcpt = func(string) string {
		if busy.Load() {
			return "450 4.2.1 mailbox busy"
		}
		return ""
	}
	c := w.config(s.serve())
	quick(&c)
	c.pace.retry = func(int) time.Duration { return time.Hour }
	c.pace.soon = func() time.Duration { return time.Hour }
	e, _ := w.start(c)
	post := w.post(list, testMessage)
	w.post(other, testMessage)
	e.Wake()
	eventually(t, "all deferred", func() bool {
		return w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND shard IS NULL`) == 25
	})
	busy.Store(false)
	copies, _, err := e.Retry(context.Background(), Selection{Post: post})
	if err != nil || copies != 20 {
		t.Errorf("%d copies due, %v", copies, err)
	}
	eventually(t, "one finished", func() bool {
		return w.count(`SELECT count(*) FROM fanout WHERE finished IS NOT NULL`) == 1
	})
	if n := len(s.got()); n != 20 {
		t.Errorf("%d members got a copy", n)
	}
	if copies, _, err := e.Retry(context.Background(), Selection{List: other, Destination: destRelay}); err != nil || copies != 5 {
		t.Errorf("%d copies due, %v", copies, err)
	}
	w.finished()
}

// A blocked destination is connected to again by a node that remembers the block.
func TestRetryOfABlockedDestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 20, 2)
	s := newSink(t)
	s.serve()
	c := w.config(s)
	quick(&c)
	c.pace.block = func(int) time.Duration { return longestBlock }
	var down atomic.Bool
	down.Store(true)
	c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if down.Load() {
			return nil, errors.New("down")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	e, _ := w.start(c)
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "blocked, and its shards given back", func() bool {
		return w.count(`SELECT count(*) FROM destination WHERE blocked IS NOT NULL`) == 1 &&
			w.count(`SELECT count(*) FROM shard WHERE state = 'claimed'`) == 0
	})
	down.Store(false)
	if _, n, err := e.Retry(context.Background(), Selection{Post: post}); err != nil || n != 1 {
		t.Errorf("%d destinations, %v", n, err)
	}
	w.finished()
	s.once(t, 20)
}

// A destination that only shards of many are for has no row that a block could be taken back from: it is
// connected to again all the same.
func TestRetryOfABlockedDestinationAmongMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ann@a.example")
	s := newSink(t)
	s.serve()
	c := w.config(nil)
	quick(&c)
	c.pace.block = func(int) time.Duration { return longestBlock }
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"a.example": addrs("192.0.2.1")}}
	var down atomic.Bool
	down.Store(true)
	c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if down.Load() {
			return nil, errors.New("down")
		}
		return by(map[string]*sink{"192.0.2.1": s})(ctx, network, addr)
	}
	e, _ := w.start(c)
	for _, part := range []Selection{{}, {List: list}, {Destination: destMixed}} {
		down.Store(true)
		s.dropAll()
		w.post(list, testMessage)
		e.Wake()
		eventually(t, "deferred for long", func() bool {
			return w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND shard IS NULL AND due > now() + interval '1 minute'`) == 1
		})
		down.Store(false)
		if copies, _, err := e.Retry(t.Context(), part); err != nil || copies != 1 {
			t.Errorf("%+v: %d copies, %v", part, copies, err)
		}
		w.finished()
	}
	if n := s.copies.Load(); n != 3 {
		t.Errorf("%d copies", n)
	}
}

// Nothing is done to a destination that there is not, and somebody is told so.
func TestUnknownDestinationIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := New(w.pool, Config{})
	part := Selection{Destination: "mxset:mx.example"}
	_, _, retried := e.Retry(t.Context(), part)
	_, dropped := e.Drop(t.Context(), part, "cli")
	_, counted := e.Waiting(t.Context(), part)
	shown := e.EachQueued(t.Context(), part, func(Queued) (bool, error) { return true, nil })
	for what, err := range map[string]error{"retry": retried, "drop": dropped, "count": counted, "show": shown} {
		if !errors.Is(err, ErrNoDestination) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := w.count(`SELECT count(*) FROM audit`); n != 0 {
		t.Errorf("%d entries in the audit trail", n)
	}
}
