package fanout

import (
	"context"
	"errors"
	"time"

	"muster/smtp/smtpclient"
)

// carry sends a batch, and what follows it to the same destination.
func (w *worker) carry(b *batch) {
	if !w.inTurn(b) {
		return
	}
	if err := w.connect(b); err != nil {
		w.unreachable(b, err)
		return
	}
	reply, err := b.fit(w.link.conn.Extensions())
	if err != nil {
		w.unread(b, err)
		return
	}
	if reply != nil {
		b.refuseAll(smtpclient.StageMail, reply)
		w.settle(b, b.refused[0])
		return
	}
	if err := w.link.conn.begin(b); err != nil {
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
	conn.Hurry(w.hurry(b))
	answer, err := conn.answer()
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
	if err := conn.text(b); isDisk(err) {
		w.unread(b, err)
		return nil
	} else if err != nil {
		w.broken(b, err)
		return nil
	}
	next := w.following(b)
	if err := w.gate(b); err != nil {
		w.hangUp()
		w.back(next, b)
		return nil
	}
	over := w.standBy(b)
	defer over() // a panic would leave the timer to a worker that is gone
	reply, err := conn.finish(next)
	over()
	b.each(answer.Each)
	switch {
	case reply != nil || err == nil:
	case isDisk(err):
		w.back(next, nil)
		w.unread(b, err)
		return nil
	case errors.Is(err, errUnsent):
		w.back(next, nil)
		w.broken(b, err)
		return nil
	default:
		b.local = true
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

// hurry is how long a server may take for each answer before the text's, 0 where nobody else waits for
// it. Who is slow at that, and not dead, has more time when only what was put off waits.
func (w *worker) hurry(b *batch) time.Duration {
	switch {
	case !w.lane.mixed:
		return 0
	case b.run.Retry:
		return 4 * w.t.pace.slot
	}
	return w.t.pace.slot
}

// following takes the batch whose commands can go out with the end of b, if there is one.
func (w *worker) following(b *batch) *batch {
	if w.link.spent(1) || w.stopping() {
		return nil
	}
	next := w.take()
	if next == nil {
		return nil
	}
	if next.lane != b.lane || len(next.who) > next.lane.batch() {
		w.peeked = next
		return nil
	}
	if reply, err := next.fit(w.link.conn.Extensions()); reply != nil || err != nil { // again when it has its turn
		w.peeked = next
		return nil
	}
	if _, why := next.book(); why != nil {
		w.peeked = next
		return nil
	}
	return next
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
	next := w.following(b)
	if next == nil {
		return nil
	}
	if err := w.link.conn.begin(next); err != nil {
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
	b.heard(host, said)
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
			b.lane.troubleFor(said.reply, b.pause)
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
		if r.short {
			r.outcome.state = shardReady
		}
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
