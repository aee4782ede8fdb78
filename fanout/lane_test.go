package fanout

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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
