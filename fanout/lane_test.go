package fanout

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/smtp/smtpclient"
)

// bareLane is a lane for tests of lanes alone: its workers are counted and not started.
func bareLane(connections, workers int) *lane {
	tr := &traffic{
		connections: connections, living: new(atomic.Int64), router: &router{}, lanes: map[string]*lane{}, wake: newBell(),
	}
	tr.pace = pace{}.withDefaults()
	l := tr.lane(destDomain("x.example"), 0)
	l.window, l.workers = connections, workers
	return l
}

// A run whose last outcome is answered may have its shard claimed again before that is noticed: the
// later claim stays known, or the shard would be taken for nobody's, freed, and sent twice.
func TestDismissLeavesALaterClaimAlone(t *testing.T) {
	t.Parallel()
	l := bareLane(1, 1)
	tr := l.traffic
	before := &run{claim: claim{ID: 7, stop: new(atomic.Bool)}, lane: l}
	later := &run{claim: claim{ID: 7, stop: new(atomic.Bool)}, lane: l}
	tr.held = map[int64]*atomic.Bool{7: later.stop}
	tr.dismiss(before)
	if tr.held[7] != later.stop {
		t.Error("the later claim is forgotten")
	}
	if tr.dismiss(later); len(tr.held) != 0 {
		t.Error("a claim is remembered that is over")
	}
}

// What was claimed while a window was wide comes when it is narrow, and from several rows at once: a
// lane takes it all, in order, and nobody waits with it in hand.
func TestLaneTakesWhatWasClaimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const claimed = 186
		l := bareLane(150, 150)
		for i := range claimed {
			l.reserve(1)
			if i == 5 { // the server takes no more connections than these
				l.open = 5
				if !l.crowded() {
					t.Fatal("the server's limit was not noted")
				}
			}
			l.offer(&run{claim: claim{ID: int64(i)}})
		}
		if n := l.room(); n != 0 {
			t.Errorf("room for %d more", n)
		}
		for i := range claimed {
			if r := l.poll(); r == nil || r.ID != int64(i) {
				t.Fatalf("run %d is %+v", i, r)
			}
		}
		if r := l.poll(); r != nil {
			t.Errorf("one run too many: %d", r.ID)
		}
	})
}

// A run goes to a worker that waits, each to one, and a worker that waited in vain is none any more.
func TestLaneHandsRunsToWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := bareLane(20, 4)
		got := make(chan *run, 4)
		wait := func(patience time.Duration) { go func() { got <- l.next(ctx, patience) }() }
		wait(time.Minute)
		wait(time.Minute)
		synctest.Wait()
		l.offer(&run{claim: claim{ID: 1}})
		l.offer(&run{claim: claim{ID: 2}})
		if a, b := <-got, <-got; a == nil || b == nil || a.ID+b.ID != 3 {
			t.Errorf("%+v and %+v", a, b)
		}
		wait(time.Second)
		if r := <-got; r != nil || l.workers != 3 {
			t.Errorf("%+v after the time was over, %d workers", r, l.workers)
		}
		wait(time.Minute)
		synctest.Wait()
		cancel()
		if r := <-got; r != nil || l.workers != 2 {
			t.Errorf("%+v at the end, %d workers", r, l.workers)
		}
	})
}

// idleLink is a connection of a lane that nobody uses. The far end answers nothing.
func idleLink(t *testing.T, l *lane) *link {
	t.Helper()
	p := &pipes{kinds: map[string]string{first: "220 far.example"}}
	conn, err := smtpclient.Dial(t.Context(), first, smtpclient.Options{Hello: "near.example", DialContext: p.dial})
	if err != nil {
		t.Fatal(err)
	}
	l.open++
	return &link{conn: dialogue{conn}, lane: l, forget: func() bool { return true }}
}

// A connection is closed when nobody has used it for as long as it waits, counted from its last use, and
// who closes it is waited for.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := bareLane(20, 0)
		tr := l.traffic
		var end context.CancelFunc
		tr.soft, end = context.WithCancel(t.Context())
		tr.hard = t.Context()
		l.keep(idleLink(t, l))
		time.Sleep(tr.pace.idle - time.Second)
		k, err := l.acquire(t.Context()) // and used, and kept again
		if err != nil {
			t.Fatal(err)
		}
		l.keep(k)
		time.Sleep(tr.pace.idle - time.Second)
		tr.forget()
		tr.wg.Wait()
		if len(l.idle) != 1 || l.open != 1 {
			t.Fatal("closed before its time")
		}
		time.Sleep(time.Second)
		tr.forget()
		tr.wg.Wait()
		if len(l.idle) != 0 || l.open != 0 {
			t.Error("not closed when nobody used it")
		}
		l.keep(idleLink(t, l))
		end()
		tr.drain()
		tr.wg.Wait()
		if l.open != 0 {
			t.Error("not closed at the end")
		}
		l.keep(idleLink(t, l)) // by a worker that ends later
		if l.open != 0 || len(l.idle) != 0 {
			t.Error("kept after the end")
		}
	})
}

// A lane that was met only by members of mixed shards is forgotten soon, and what led there with it: a
// list may have a million domains. One that is in trouble, or has rows of the queue, is not.
func TestLanesThatWereMetAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := bareLane(20, 0).traffic
		tr.lanes, tr.aliases, tr.rows = map[string]*lane{}, map[string]alias{}, map[int64]*lane{}
		for _, name := range []string{"met", "down", "row"} {
			tr.aliases[name+".example"] = alias{lane: "mxset:" + name, found: time.Now()}
		}
		tr.lane(destDomain("met.example"), 0)
		tr.lane(destDomain("down.example"), 0).failures = 1
		tr.lane(destDomain("row.example"), 7)
		tr.forget()
		if len(tr.lanes) != 3 || len(tr.aliases) != 3 {
			t.Errorf("%d lanes and %d aliases at once", len(tr.lanes), len(tr.aliases))
		}
		time.Sleep(metAge + time.Second)
		tr.forget()
		if tr.lanes["mxset:met"] != nil || len(tr.lanes) != 2 || len(tr.aliases) != 2 {
			t.Errorf("%d lanes and %d aliases after a minute", len(tr.lanes), len(tr.aliases))
		}
		time.Sleep(laneAge)
		tr.forget()
		if len(tr.lanes)+len(tr.aliases)+len(tr.rows) != 0 {
			t.Errorf("%d lanes, %d aliases and %d rows at last", len(tr.lanes), len(tr.aliases), len(tr.rows))
		}
	})
}
