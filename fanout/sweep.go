package fanout

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sweeper does what is due: it frees the shards of dead nodes, queues deferred copies again,
// bounces what has waited too long, and closes the books on fan-outs that are through. Every node
// sweeps; rows another one has locked are left to it.
type sweeper struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	pack *packer
	made func()     // told when shards became ready
	seen line       // the last whose queue was looked at
	open openFanout // the last that was looked at

	closing *closing // that may be through
	expired bool     // some ran out of time, and are not looked at yet
	plan    func()   // told when posts are to be planned
}

// run sweeps every so often, and when it is woken because a node was found dead.
func (s *sweeper) run(ctx context.Context, wake <-chan struct{}, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

func (s *sweeper) sweep(ctx context.Context) {
	for _, part := range []struct {
		what string
		do   func(context.Context) (bool, error)
	}{
		{"freeing shards of dead nodes", s.free},
		{"keeping what is held from running out of time", s.prolong},
		{"bouncing copies that waited too long", s.expire},
		{"shortening waits", s.shorten},
		{"queueing deferred copies", s.queueDue},
		{"making ready what is held no more", s.unpark},
		{"closing what was dropped", s.closeDropped},
		{"making ready what is next", s.advance},
		{"closing fan-outs", s.finish},
		{"planning mail to owners again", s.replan},
	} {
		ready, err := part.do(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error(part.what, "error", err)
		}
		if ready {
			s.made()
		}
	}
}

func (s *sweeper) free(ctx context.Context) (bool, error) {
	n, err := freeShards(ctx, s.pool)
	if n > 0 {
		s.log.Warn("shards of dead nodes are free again", "shards", n)
	}
	return n > 0, err
}

func (s *sweeper) prolong(ctx context.Context) (bool, error) { return false, prolongHeld(ctx, s.pool) }

func (s *sweeper) unpark(ctx context.Context) (bool, error) { return unpark(ctx, s.pool) }

func (s *sweeper) closeDropped(ctx context.Context) (bool, error) {
	return false, closeGivenUp(ctx, s.pool, s.pack)
}

// replan lets mail go on that waited for a list to have an owner, or the site an administrator.
func (s *sweeper) replan(ctx context.Context) (bool, error) {
	n, err := replanForwards(ctx, s.pool, errNobody.Error())
	if n > 0 {
		s.log.Info("mail to owners or administrators goes on: there are some now", "posts", n)
		s.plan()
	}
	return false, err
}

func (s *sweeper) expire(ctx context.Context) (bool, error) {
	for {
		n, err := expireDeliveries(ctx, s.pool)
		if err != nil {
			return false, err
		}
		m, err := expireShards(ctx, s.pool)
		if err != nil || n+m == 0 {
			return false, err
		}
		s.expired = true
	}
}

// shorten sees to waits that are longer than any is.
func (s *sweeper) shorten(ctx context.Context) (bool, error) {
	for {
		n, err := shortenWaits(ctx, s.pool)
		if err != nil || n == 0 {
			return false, err
		}
		s.log.Warn("the clock was ahead: copies that were to wait for longer than any wait are due", "copies", n)
	}
}

// dueStep is how many deferred copies are queued in one transaction.
const dueStep = 4000

// queueDue moves deferred copies that are due into new shards, those of one fan-out and
// destination together.
func (s *sweeper) queueDue(ctx context.Context) (ready bool, err error) {
	for {
		var n int
		err := inTx(ctx, s.pool, func(tx pgx.Tx) error {
			due, err := lockDue(ctx, tx, dueStep)
			if err != nil {
				return err
			}
			n = len(due)
			return carryDue(ctx, tx, due, "")
		})
		if err != nil || n == 0 {
			return ready, err
		}
		ready = true
	}
}

// carryDue makes shards of due copies, which come ordered by fan-out and destination. Somebody may
// have given them up.
func carryDue(ctx context.Context, tx pgx.Tx, due []dueCopy, givenUp string) error {
	for len(due) > 0 {
		n := 1
		for n < len(due) && due[n].Fanout == due[0].Fanout && due[n].Dest == due[0].Dest {
			n++
		}
		shards := newShards{fanout: due[0].Fanout, retry: true, givenUp: givenUp}
		members := make([]int64, n)
		for i := range members {
			members[i] = due[i].Member
		}
		shards.cut(due[0].Dest, members, false)
		if err := insertShards(ctx, tx, &shards); err != nil {
			return err
		}
		if err := markCarried(ctx, tx, &shards); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

// How many open fan-outs a sweep looks at, beside those that may be through.
const (
	finishPage = 2000 // where something ended that nobody is told of
	finishFew  = 200
)

// finish closes what may be through, and goes through the others from where the last sweep ended, so that what
// a sweep costs does not grow with what waits.
func (s *sweeper) finish(ctx context.Context) (bool, error) {
	ended := s.closing.take()
	for ids := range slices.Chunk(ended, finishPage) {
		if _, err := finishThese(ctx, s.pool, ids); err != nil {
			s.closing.add(ended...)
			return false, err
		}
	}
	page := finishFew
	if s.expired {
		page = finishPage
	}
	last, err := finishFanouts(ctx, s.pool, s.open, page)
	s.open = last
	if err == nil && last == (openFanout{}) {
		s.expired = false
	}
	return false, err
}
