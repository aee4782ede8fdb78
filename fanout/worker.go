package fanout

import (
	"context"
	"errors"
	"fmt"

	"muster/smtp"
	"muster/smtp/smtpclient"
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
		return b
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
	for r.lost == nil && r.next < len(r.members) {
		w.check(r)
		b := &w.spare[w.turn]
		if b.fill(r, w.batchLimit(), w.laneOf()) {
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
			w.laneOf()(splitAddress(r.addresses[place]).Domain).warm()
		}
	}
}

func (w *worker) batchLimit() int {
	if w.lane.mixed {
		return batchSize
	}
	return w.lane.batch()
}

// laneOf tells the lane of a domain, for a worker whose batches go to many.
func (w *worker) laneOf() func(string) *lane {
	if !w.lane.mixed {
		return nil
	}
	return func(domain string) *lane {
		key, err := smtp.DomainKey(domain)
		if err != nil { // an address literal
			key = domain
		}
		return w.t.lane(destDomain(key), 0)
	}
}

// check asks, every so many members, which of those to come have left meanwhile.
func (w *worker) check(r *run) {
	if r.next < r.checked {
		return
	}
	r.message.leavers.ask(w.t.hard, w.t.pool, r.Fanout, w.t.log)
	r.drop(min(r.next+max(checkEvery, w.batchLimit()), len(r.members)), r.message.leavers.has)
}

// carry sends a batch, and what follows it to the same destination.
func (w *worker) carry(b *batch) {
	if err := w.connect(b); err != nil {
		w.unreachable(b, err)
		return
	}
	if err := w.link.conn.Begin(&b.envelope); err != nil {
		w.broken(b, err)
		return
	}
	for b != nil {
		b = w.transact(b)
	}
}

// transact carries one transaction through whose commands are on their way, and returns the one
// whose commands went out with its end.
func (w *worker) transact(b *batch) *batch {
	conn := w.link.conn
	answer, err := conn.ReadEnvelope()
	if err != nil {
		w.broken(b, err)
		return nil
	}
	b.note(answer)
	if n, full := b.overfull(); full {
		b.lane.overfull(n)
		b.cut(n)
	}
	if !answer.Go() {
		return w.refused(b)
	}
	m := b.run.message
	if m.personal {
		err = conn.Body(m.before, b.personal, m.after)
	} else {
		err = conn.Body(m.before, m.after)
	}
	if err != nil {
		w.broken(b, err)
		return nil
	}
	next, envelope := w.following(b)
	if err := w.gate(b); err != nil {
		w.hangUp()
		w.back(next, b)
		return nil
	}
	reply, err := conn.Finish(envelope)
	if reply == nil && err != nil {
		w.ended(b, next, noAnswer(err), err)
		return nil
	}
	said := refusal{smtpclient.StageDot, reply}
	if err != nil {
		w.ended(b, next, said, err)
		return nil
	}
	w.settle(b, said)
	return next
}

// following takes the batch whose commands can go out with the end of b, if there is one.
func (w *worker) following(b *batch) (*batch, *smtpclient.Envelope) {
	if w.link.spent(1) || w.stopping() {
		return nil, nil
	}
	next := w.take()
	if next == nil {
		return nil, nil
	}
	if next.lane != b.lane || len(next.who) > next.lane.batch() {
		w.peeked = next
		return nil, nil
	}
	return next, &next.envelope
}

// gate is the dot gate: it returns nil once the final dot of b may be sent.
func (w *worker) gate(b *batch) error {
	w.saved()
	if b.run.lost != nil {
		return b.run.lost
	}
	if w.t.soft.Err() != nil {
		return errDraining
	}
	return w.t.lease.wait(w.t.hard)
}

// refused settles a batch of which nobody is to get the text, and begins the next.
func (w *worker) refused(b *batch) *batch {
	w.settle(b, b.refused[0])
	next, envelope := w.following(b)
	if next == nil {
		return nil
	}
	if err := w.link.conn.Begin(envelope); err != nil {
		w.broken(next, err)
		return nil
	}
	return next
}

// settle makes the outcome of a batch and hands it to the committer.
func (w *worker) settle(b *batch, said refusal) {
	host := b.lane.name
	if w.link != nil {
		host = w.link.host
		w.link.used = true
	}
	w.saved() // it is the run's outcome that is at the committer, and may not change under it
	b.run.settle(b, host, said)
	w.hear(b, said)
	w.save(b.run)
}

// hear tells the lane what its server's mood is.
func (w *worker) hear(b *batch, said refusal) {
	if said.stage == smtpclient.StageDot && said.reply.Positive() {
		b.lane.succeeded()
		return
	}
	if said.stage != smtpclient.StageRcpt {
		if slowDown(said.reply) {
			b.lane.trouble(said.reply.Error())
		}
		return
	}
	for _, r := range b.refused {
		if slowDown(r.reply) {
			b.lane.slowed(r.reply)
		}
	}
}

// save hands the outcome of a run over, once the one before it is saved.
func (w *worker) save(r *run) {
	w.saved()
	if r.lost != nil {
		w.letGo(r)
		return
	}
	r.outcome.state = shardClaimed
	if r.complete() {
		r.outcome.state = shardDone
		r.outcome.journal = r.journal.take(w.t.packer)
	}
	w.pending = r
	w.t.committer.save(&r.outcome)
}

// saved waits until the outcome at the committer is saved, or cannot be.
func (w *worker) saved() {
	r := w.pending
	if r == nil {
		return
	}
	err := <-r.outcome.result
	w.pending = nil
	r.outcome.exceptions = r.outcome.exceptions[:0]
	r.outcome.journal = nil
	if err != nil {
		r.lost = err
		w.t.log.Warn("outcome not saved", "shard", r.ID, "error", err)
	}
	if err != nil || r.complete() {
		w.letGo(r)
	}
}

// letGo is done with a run.
func (w *worker) letGo(r *run) {
	if w.current == r {
		w.current = nil
	}
	if w.after == r {
		w.after = nil
	}
	if w.peeked != nil && w.peeked.run == r {
		w.peeked = nil
	}
	w.t.dismiss(r)
}

// connect makes sure of a connection to where a batch goes.
func (w *worker) connect(b *batch) error {
	if w.link != nil && (w.link.lane != b.lane || w.link.spent(0)) {
		w.putBy()
	}
	if w.link == nil {
		ctx := w.t.soft
		if w.lane.mixed { // which may not wait long for any one of them
			limited, cancel := context.WithTimeout(ctx, w.t.pace.slot)
			defer cancel()
			ctx = limited
		}
		link, err := b.lane.acquire(ctx)
		if err != nil {
			return err
		}
		w.link = link
	}
	if limit := b.lane.batch(); len(b.who) > limit {
		b.cut(limit)
	}
	return nil
}

// putBy leaves a connection for others, or ends it where nobody would come for it.
func (w *worker) putBy() {
	k := w.link
	w.link = nil
	if w.lane.mixed && !k.spent(0) && k.conn.Idle() {
		k.lane.keep(k)
		return
	}
	k.close()
}

func (w *worker) hangUp() {
	if w.link != nil {
		w.link.abort()
		w.link = nil
	}
}
