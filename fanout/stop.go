package fanout

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
	"muster/smtp"
)

// A post too many of whose copies are refused for good is paused: its list is out of date, or somebody
// takes us for a sender of junk, and each further copy makes that worse. Who resumes it has looked,
// and it is not stopped again.

const (
	// minRefused is how many copies must have been refused on a node before a post is stopped.
	minRefused = 1000
	// byMuster is who holds a post that was stopped.
	byMuster = "muster"
	// actionStopped is what the audit trail says of it.
	actionStopped = "queue.stop"
)

// verdicts counts what servers said for good about the copies of a message, on this node.
type verdicts struct {
	percent      int64 // refused of all, beyond which it is stopped; 0: never
	all, refused atomic.Int64
	told         atomic.Bool // that too many were refused
	stop         atomic.Bool // nothing of it is begun for now
}

// add counts, and says whether that makes it too many, the first time that it does.
func (v *verdicts) add(all, refused int64) bool {
	if v.percent == 0 {
		return false
	}
	total, no := v.all.Add(all), v.refused.Add(refused)
	return refused > 0 && no >= minRefused && no*100 > total*v.percent && v.told.CompareAndSwap(false, true)
}

// stopper stops posts.
type stopper struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	tell func(context.Context, lists.Stopped) error // nil: nobody is told
	wait time.Duration                              // until every node knows of a hold
}

// stop holds the post of a run and tells of it. Until every node has seen the hold, nothing of it is
// begun here.
func (s *stopper) stop(ctx context.Context, r *run, host, reply string) {
	v := &r.message.verdicts
	v.stop.Store(true)
	defer v.stop.Store(false)
	stopped := lists.Stopped{Answered: v.all.Load(), Refused: v.refused.Load(), Host: host, Reply: reply}
	var held bool
	err := inTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		held, err = holdRefused(ctx, tx, r.Fanout, &stopped)
		return err
	})
	if err != nil {
		s.log.ErrorContext(ctx, "too many copies of a post are refused, and it cannot be stopped", "fanout", r.Fanout, "error", err)
		return
	}
	if !held { // it was stopped before, and somebody resumed it
		return
	}
	s.log.ErrorContext(ctx, "too many copies of a post were refused for good: it is paused", "post", stopped.Post, "refused", stopped.Refused,
		"answered", stopped.Answered, "host", host, "reply", reply)
	if s.tell != nil {
		if err := s.tell(ctx, stopped); err != nil {
			s.log.ErrorContext(ctx, "owners not told of a post that was stopped", "post", stopped.Post, "error", err)
		}
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// heed counts the answers to a batch, and stops the post if too many of them were refusals.
func (r *run) heed(all, refused int64, host string, last *smtp.Reply) {
	if r.message == nil || !r.message.verdicts.add(all, refused) {
		return
	}
	t := r.lane.traffic
	t.wg.Go(func() { t.library.stopper.stop(t.soft, r, host, clean(last.Error())) })
}

// IsStopped says whether a post is paused because too many of its copies were refused.
func (e *Engine) IsStopped(ctx context.Context, post uuid.UUID) (bool, error) {
	return isStopped(ctx, e.pool, post)
}
