package fanout

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseWindow(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for s, want := range map[string]Rate{"50000/24h": {50000, day}, "7 / 30d": {7, 30 * day}, "1/10m": {1, 10 * time.Minute}, "": {}} {
		if got, err := ParseWindow(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"100", "0/1h", "-1/1h", "x/1h", "1/h", "1/9m", "1/32d", "1/", "/1h", "1/99999999999d", "1/d"} {
		if got, err := ParseWindow(bad); !errors.Is(err, ErrWindow) {
			t.Errorf("%s: %v, %v", bad, got, err)
		}
	}
}

// waits says whether a limit is told of as what copies wait for.
func waits(t *testing.T, e *Engine, window bool) bool {
	t.Helper()
	state, err := e.Throttled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.Waiting && state.Closed == window
}

// In a window goes what may, of two nodes together and of those after them; notices have the last of it.
// When it has moved on, so has the rest, and nobody gets two.
func TestWindowHoldsOverNodesAndStarts(t *testing.T) {
	t.Parallel()
	const members, most, posts = 700, 300, 297
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, members, 3)
	s := newSink(t).serve()
	c := w.config(s)
	c.Window = Rate{most, time.Hour}
	c.pace.tell = 20 * time.Millisecond
	w.post(list, testMessage)
	e, stop := w.start(c)
	_, stopOther := w.start(c)
	sent := func() bool { return s.copies.Load() >= posts && waits(t, e, true) }
	eventually(t, "the window used up", sent)
	stop()
	stopOther()
	if n := s.copies.Load(); n != posts {
		t.Fatalf("%d copies, of which %d may go", n, posts)
	}
	if n := w.count(`SELECT sum(copies) FROM granted`); n != posts {
		t.Errorf("%d copies counted when the nodes had stopped", n)
	}
	e, stop = w.start(c)
	eventually(t, "the next node waits too", sent)
	w.exec(`INSERT INTO notice (id, list, kind, address) VALUES (gen_random_uuid(), $1, 'welcome', 'ben@b.example')`, list)
	eventually(t, "a notice all the same", func() bool { return s.copies.Load() > posts })
	if n := s.copies.Load(); n != posts+1 {
		t.Fatalf("%d copies and one notice", n-1)
	}
	for s.copies.Load() <= members { // an hour and a little later
		before := s.copies.Load()
		w.exec(`WITH gone AS (DELETE FROM granted RETURNING *)
			INSERT INTO granted SELECT minute - interval '64 minutes', node, copies FROM gone`)
		eventually(t, "more of them", func() bool { return s.copies.Load() > before && (s.copies.Load() > members || waits(t, e, true)) })
		if n := w.count(`SELECT COALESCE(sum(copies), 0) FROM granted WHERE minute > now() - interval '1 hour'`); n > most {
			t.Fatalf("%d copies granted in an hour", n)
		}
	}
	w.finished()
	stop()
	s.once(t, members+1)
}

// What a batch took and did not send it gives back: a destination that is down uses nothing up.
func TestWindowIsNotUsedUpByWhatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 300, 2)
	s := newSink(t).serve()
	c := w.config(nil)
	c.Window = Rate{350, time.Hour}
	c.pace.block = func(int) time.Duration { return time.Millisecond }
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"d0.example": addrs("192.0.2.1"), "d1.example": addrs("192.0.2.2")}}
	down := newSink(t)
	_ = down.listener.Close()
	c.DialContext = by(map[string]*sink{"192.0.2.1": down, "192.0.2.2": s})
	w.post(list, testMessage)
	_, stop := w.start(c)
	eventually(t, "those that can, while the others are tried again and again", func() bool {
		return s.copies.Load() == 150 && w.count(`SELECT COALESCE(max(failures), 0) FROM destination`) > 20
	})
	stop()
	if n := w.count(`SELECT sum(copies) FROM granted`); n < 150 || n > 300 { // 150, where no minute ended meanwhile
		t.Errorf("%d copies count, and 150 went out", n)
	}
	s.once(t, 150)
}

// A rate holds for all destinations together; a notice does not wait for it, and a stop neither.
func TestRateOfAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 60, 2)
	var mu sync.Mutex
	var at []time.Time
	sinks := map[string]*sink{}
	for _, addr := range []string{"192.0.2.1", "192.0.2.2"} {
		s := newSink(t)
		s.taken = func(*letter) {
			mu.Lock()
			at = append(at, time.Now())
			mu.Unlock()
		}
		sinks[addr] = s.serve()
	}
	c := w.config(nil)
	c.Rate = Rate{20, time.Second}
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"d0.example": addrs("192.0.2.1"), "d1.example": addrs("192.0.2.2")}}
	c.DialContext = by(sinks)
	w.post(list, testMessage)
	_, stop := w.start(c)
	w.finished()
	stop()
	mu.Lock()
	defer mu.Unlock()
	slices.SortFunc(at, time.Time.Compare)
	if took := at[59].Sub(at[0]); len(at) != 60 || took < 2500*time.Millisecond {
		t.Errorf("%d copies took %v, at 20 a second", len(at), took)
	}
	sinks["192.0.2.1"].once(t, 30)
	sinks["192.0.2.2"].once(t, 30)
}

func TestNoticesAndStopsDoNotWaitForTheRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 2000, 3)
	s := newSink(t).serve()
	c := w.config(s)
	c.Rate = Rate{1, time.Hour}
	c.Connections = 1 // and who has it waits
	c.pace.tell = 20 * time.Millisecond
	w.post(list, testMessage)
	e, stop := w.start(c)
	eventually(t, "the first copy", func() bool { return s.copies.Load() == 1 && waits(t, e, false) })
	w.exec(`INSERT INTO notice (id, list, kind, address) VALUES (gen_random_uuid(), $1, 'welcome', 'ben@b.example')`, list)
	eventually(t, "the notice", func() bool { return s.copies.Load() == 2 })
	if got := s.got()["ben@b.example"]; got != 1 {
		t.Errorf("%d notices among %v", got, s.got())
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took >= c.pace.grace {
		t.Errorf("stopping took %v", took)
	}
	if n := w.count(`SELECT count(*) FROM shard WHERE state = 'claimed'`); n != 0 {
		t.Errorf("%d shards kept", n)
	}
	s.once(t, 2)
}

// A window that was used up when nobody waited any more is asked for again by who comes next.
func TestWindowIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &throttle{window: Rate{300, time.Hour}, ask: newBell(), closed: true}
		b := &batch{run: &run{claim: claim{Turn: 1}}, who: []int{0}}
		if _, ok := h.take(b); ok || len(h.ask) > 0 {
			t.Error("asked for what could not be had a moment ago")
		}
		if h.reopen(); len(h.ask) != 1 {
			t.Error("not asked for again while somebody waits")
		}
		<-h.ask
		time.Sleep(time.Minute)
		h.reopen()
		if len(h.ask) > 0 {
			t.Error("asked for though nobody waits")
		}
		if _, ok := h.take(b); ok || len(h.ask) != 1 {
			t.Error("not asked for by who came next")
		}
	})
}
