package fanout

import (
	"context"
	"sync"
	"time"
)

// A server that is silent after the final dot must be waited for: it may have the message, and who asks again
// sends it twice (RFC 5321 §4.5.3.2.6 allows it ten minutes). In a mixed shard others would wait behind it.
// They go on without it: what was not begun becomes a shard of its own, the line of the list's posts is
// freed, and another worker takes the place of the one that waits.

// standBy sees to who waits behind the end of a batch. The function it returns is called when that is over,
// whatever came of it, and may be called again.
func (w *worker) standBy(b *batch) (over func()) {
	if !w.lane.mixed {
		return func() {}
	}
	done := make(chan struct{})
	timer := time.AfterFunc(w.t.pace.slot, func() {
		defer close(done)
		w.stepAside(b)
	})
	return sync.OnceFunc(func() {
		if timer.Stop() {
			return
		}
		<-done
		w.lane.stepBack()
		w.surplus = true // somebody has its place
	})
}

// stepAside lets others go on while the worker waits for its server, and does nothing else.
func (w *worker) stepAside(b *batch) {
	ctx, cancel := context.WithTimeout(w.t.hard, w.t.pace.lease)
	defer cancel()
	if w.peeked != nil {
		w.peeked.putBack()
		w.peeked = nil
	}
	if b.run != w.current && b.run != w.after { // all of it is begun
		w.t.divide(ctx, b.run)
	}
	for _, r := range []**run{&w.current, &w.after} {
		if *r != nil && w.t.divide(ctx, *r) {
			*r = nil
		}
	}
	w.lane.stepAside()
	w.t.hungry()
}

// divide leaves a run what of it was begun. It returns false where nothing was changed: whoever comes to its
// end gives back the rest.
func (t *traffic) divide(ctx context.Context, r *run) bool {
	switch {
	case r.lost != nil || r.short:
		return false
	case r.flying == 0:
		t.release(r)
		return true
	}
	ours, err := partShard(ctx, t.pool, t.node, &r.claim, r.Done+int32(r.next))
	if err == nil && ours {
		r.members = r.members[:r.next]
		_, err = advance(ctx, t.pool, []line{{r.List, r.Dest}})
	}
	if err != nil {
		t.log.Warn("others may wait behind a silent server", "shard", r.ID, "error", err)
	}
	return ours
}

// stepAside gives the place of a worker and of its run to others.
func (l *lane) stepAside() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.workers--
	l.claimed--
	l.staff()
}

// stepBack takes a worker back that had stepped aside, even if there is one more then.
func (l *lane) stepBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.workers++
	l.claimed++
}
