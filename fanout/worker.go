package fanout

import (
	"errors"
	"fmt"

	"muster/smtp"
)

// errDraining ends what a worker does when the process is to stop.
var errDraining = errors.New("shutting down")

// worker carries runs over one connection after the other: one transaction at a time, the
// commands of the next in the same write as the end of the last.
type worker struct {
	t       *traffic
	lane    *lane
	link    *link
	current *run // batches are taken from it
	after   *run // from which a batch was put back, while current already was another
	peeked  *batch
	pending *run // its outcome is at the committer
	queued  bool // it waits for room in what may go out at all
	surplus bool // the server does not want as many connections
	spare   [3]batch
	turn    int
}

func newWorker(t *traffic, l *lane) *worker { return &worker{t: t, lane: l} }

// work is the life of a worker.
func (w *worker) work() {
	defer func() {
		if r := recover(); r != nil {
			// The shards it held are freed by the sweep, at the place that was saved last.
			w.t.log.Error("worker died", "destination", w.lane.name, "panic", fmt.Sprint(r))
			w.abandon()
		}
	}()
	for {
		b := w.await()
		if b == nil {
			w.close()
			return
		}
		w.carry(b)
	}
}

// abandon lets go of everything without saving.
func (w *worker) abandon() {
	w.queues(false)
	w.hangUp()
	for _, r := range []*run{w.current, w.after, w.pending} {
		if r != nil {
			w.t.dismiss(r)
		}
	}
	w.lane.resign()
}

// await returns the next batch, waiting for a run where none is at hand. Nil: there is nothing to
// do any more, and the worker's place at the lane is given up.
func (w *worker) await() *batch {
	for {
		if w.stopping() {
			w.resign()
			return nil
		}
		if b := w.take(); b != nil {
			return b
		}
		w.rest()
		if w.stopping() {
			continue
		}
		if w.current = w.lane.next(w.t.soft, w.t.pace.idle); w.current == nil {
			return nil
		}
	}
}

// stopping says whether nothing new is to be begun here: the process ends, or the destination is
// in trouble.
func (w *worker) stopping() bool { return w.surplus || w.t.soft.Err() != nil || w.lane.blocked() }

// resign gives back what was not begun.
func (w *worker) resign() {
	w.rest()
	for _, r := range []*run{w.current, w.after} {
		if r != nil {
			w.t.release(r)
		}
	}
	w.current, w.after = nil, nil
	w.lane.resign()
}

// rest settles what is open before the worker waits.
func (w *worker) rest() {
	w.queues(false)
	w.saved()
	if w.lane.mixed && w.link != nil {
		w.putBy()
	}
}

func (w *worker) close() {
	if w.link != nil {
		w.link.close()
		w.link = nil
	}
}

// take returns the next batch at hand, nil if there is none.
func (w *worker) take() *batch {
	if b := w.peeked; b != nil {
		w.peeked = nil
		if !b.run.stopped() {
			return b
		}
		w.back(b, nil)
	}
	for {
		if w.current == nil {
			w.current, w.after = w.after, nil
		}
		if w.current == nil {
			if w.stopping() {
				return nil
			}
			w.current = w.lane.poll()
		}
		if w.current == nil {
			return nil
		}
		if b := w.fill(w.current); b != nil {
			return b
		}
	}
}

// fill takes a batch from a run, or is done with it.
func (w *worker) fill(r *run) *batch {
	if r.stopped() || w.moved(r) {
		w.stop(r)
		return nil
	}
	for r.lost == nil && r.next < len(r.members) {
		w.check(r)
		b := &w.spare[w.turn]
		if b.fill(r, w.batchLimit(), w.laneOf(r.message)) {
			w.turn = (w.turn + 1) % len(w.spare)
			w.lookAhead(r)
			return b
		}
	}
	w.current = nil
	if r.flying > 0 { // the outcome of the last batch will be that of all after it
		return nil
	}
	w.saved()
	if r.lost == nil && !r.complete() {
		r.pass(len(r.members))
		w.save(r)
	}
	return nil
}

// stop gives a run back that is held, or leads elsewhere: at once, or with the outcome of its batch under way.
func (w *worker) stop(r *run) {
	w.saved()
	if r.lost != nil || r.complete() { // and let go of
		w.current = nil
		return
	}
	w.current = nil
	if r.flying > 0 {
		r.shorten()
		return
	}
	w.t.release(r)
}

// warmAhead is how many recipients ahead of a mixed shard's next their destinations are connected
// to.
const warmAhead = 24

// lookAhead sees to connections for the next recipients of a mixed shard.
func (w *worker) lookAhead(r *run) {
	if !w.lane.mixed {
		return
	}
	for place := r.next; place < min(r.next+warmAhead, len(r.members)); place++ {
		if r.addresses[place] != "" {
			w.t.warm(r.message.host, domainKey(splitAddress(r.addresses[place]).Domain))
		}
	}
}

func (w *worker) batchLimit() int {
	if w.lane.mixed {
		return batchSize
	}
	return w.lane.batch()
}

// laneOf tells the lane of a message to a domain, for a worker whose batches go to many.
func (w *worker) laneOf(m *message) func(string) *lane {
	if !w.lane.mixed {
		return nil
	}
	return func(domain string) *lane { return w.t.meet(w.t.soft, m.host, domainKey(domain)) }
}

func domainKey(domain string) string {
	key, err := smtp.DomainKey(domain)
	if err != nil { // an address literal
		return domain
	}
	return key
}

// check asks, every so many members, which of those to come have left meanwhile.
func (w *worker) check(r *run) {
	if r.next < r.checked {
		return
	}
	r.message.leavers.ask(w.t.hard, w.t.pool, r.Fanout, w.t.log)
	r.drop(min(r.next+max(checkEvery, w.batchLimit()), len(r.members)), r.message.leavers.has)
}
