package fanout

import (
	"errors"
	"os"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// What a worker does when a connection cannot be made or ends.

// maxBreaks is how many connections in a row may end under a batch before it is taken to be what
// ends them.
const maxBreaks = 3

// back puts batches back whose text was not sent, the later first.
func (w *worker) back(next, b *batch) {
	if next == nil {
		next, w.peeked = w.peeked, nil
	}
	if next != nil && next.run.lost == nil {
		next.putBack()
		w.current = next.run
	}
	if b == nil || b.run.lost != nil {
		return
	}
	b.putBack()
	if w.current != nil && w.current != b.run {
		w.after = w.current
	}
	w.current = b.run
}

// unreachable is for a batch whose destination could not be connected to.
func (w *worker) unreachable(b *batch, err error) {
	var final *smtp.Reply
	var failed *smtpclient.Error
	switch {
	case w.t.soft.Err() != nil:
		w.back(nil, b)
	case errors.As(err, &failed):
		w.troubled(b, failed)
	case errors.As(err, &final) && b.lane.exchangers != nil:
		w.nowhere(b)
	case errors.As(err, &final): // the DNS says so, no server
		b.refuseAll(smtpclient.StageRcpt, final)
		w.settle(b, b.refused[0])
	case errors.Is(err, errBlocked), errors.Is(err, errNoSlot), errors.Is(err, errRate):
		w.postpone(b, err)
	default:
		b.lane.trouble(err)
		w.postpone(b, err)
	}
}

// postpone is for a batch that was not tried: in a shard of its own destination it waits with the
// shard, in a mixed one it must not hold up the others.
func (w *worker) postpone(b *batch, err error) {
	if !w.lane.mixed {
		w.back(nil, b)
		return
	}
	w.saved()
	if errors.Is(err, errBlocked) {
		err = b.lane.leftAlone()
	}
	b.refund(0)
	b.run.postpone(b, unanswered(err), b.lane.rest())
	w.save(b.run)
}

// troubled is for a connection that was refused or could not be made.
func (w *worker) troubled(b *batch, failed *smtpclient.Error) {
	if failed.Reply != nil && b.lane.crowded() {
		w.surplus = !w.lane.mixed
	} else {
		b.lane.trouble(failed)
	}
	w.postpone(b, failed)
}

// broken is for a connection that ended before the final dot of b. Nothing was sent, so b goes
// again, unless it seems to be what ends connections.
func (w *worker) broken(b *batch, err error) {
	var failed *smtpclient.Error
	fresh := w.link != nil && !w.link.used
	w.hangUp()
	if w.t.hard.Err() != nil || !errors.As(err, &failed) {
		w.back(nil, b)
		return
	}
	if w.lane.mixed && errors.Is(err, os.ErrDeadlineExceeded) { // the others of the shard wait for it
		b.lane.trouble(failed)
		w.postpone(b, failed)
		return
	}
	if fresh { // one that was used may end when its server likes
		b.run.breaks++
		switch {
		case !slowDown(failed.Reply):
		case b.lane.crowded():
			w.surplus = !w.lane.mixed
		default:
			b.lane.trouble(failed)
		}
	}
	if b.run.breaks < maxBreaks {
		w.back(nil, b)
		return
	}
	reply := failed.Reply
	if reply == nil {
		reply = unanswered(failed)
	}
	b.refuseAll(failed.Stage, reply)
	b.local = failed.Reply == nil
	w.settle(b, b.refused[0])
}

// unread is for a batch whose text could not be read from its file. The connection had begun with
// it and is ended; the run waits for a file written anew.
func (w *worker) unread(b *batch, err error) {
	w.hangUp()
	w.back(nil, b)
	w.saved()
	r := b.run
	w.t.library.spoil(r.Fanout, err)
	if r.lost != nil {
		return
	}
	if w.current == r {
		w.current = nil
	}
	if w.after == r {
		w.after = nil
	}
	w.t.putOff(r, err)
}

// ended is for a connection that ended with or after the final dot of b: what was said, if
// anything was, is b's outcome, and the next batch was not sent.
func (w *worker) ended(b, next *batch, said refusal, err error) {
	fresh := !w.link.used
	var failed *smtpclient.Error
	if errors.As(err, &failed) && slowDown(failed.Reply) && fresh {
		b.lane.trouble(failed)
	}
	host := w.link.host
	w.hangUp()
	w.back(next, nil)
	w.saved()
	b.heard(host, said)
	b.run.settle(b, host, said)
	w.save(b.run)
}
