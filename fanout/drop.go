package fanout

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Backlog is what waits of a part of the queue. Each kind is counted up to MaxCounted rows.
type Backlog struct {
	Messages int64 // accepted, no copy of which is planned
	Copies   int64 // not tried yet
	Deferred int64 // to be tried again
	More     bool  // the counts are the least there is
}

// Waiting counts what waits of a part of the queue.
func (e *Engine) Waiting(ctx context.Context, s Selection) (Backlog, error) {
	if _, err := s.dest(ctx, e.pool); err != nil {
		return Backlog{}, err
	}
	return selectBacklog(ctx, e.pool, s, MaxCounted)
}

// Dropped is what a drop gave up.
type Dropped struct {
	Messages int64 // no copy of which was planned
	Copies   int64
	Underway int64 // copies of shards that a node is sending: what it has not sent in a few seconds
}

// The sizes of a drop's transactions.
const (
	dropMessages = 500
	dropShards   = 2000
	dropDeferred = 4000
	closeShards  = 200 // each with a piece of the journal
)

// Drop gives up what waits of a part of the queue as it is now; an empty selection all of it. What
// comes later is sent. Copies given up count as dropped, which is nothing against their members. By is
// who did it, and is told in the journal.
func (e *Engine) Drop(ctx context.Context, s Selection, by string) (d Dropped, err error) {
	if by == "" {
		return d, errNoName
	}
	if _, err := s.dest(ctx, e.pool); err != nil {
		return d, err
	}
	cut, err := selectNow(ctx, e.pool)
	if err != nil {
		return d, err
	}
	part := dropping{Selection: s, cut: cut, by: by}
	// What is not begun becomes a fan-out when it is, so it is looked at first, and waited for where
	// somebody is at it.
	if s.Destination == "" {
		if d.Messages, err = e.dropAll(ctx, dropMessages, part.messages); err != nil {
			return d, err
		}
		if err := closePlans(ctx, e.pool, &part); err != nil {
			return d, err
		}
	}
	if err := e.dropCopies(ctx, &part, &d); err != nil {
		return d, err
	}
	if err := closeGivenUp(ctx, e.pool, e.pack); err != nil {
		return d, err
	}
	err = inTx(ctx, e.pool, func(tx pgx.Tx) error {
		if s.List == 0 && s.Destination == "" && s.post() != nil { // nothing is left to hold
			if _, err := deleteHold(ctx, tx, s, 0); err != nil {
				return err
			}
		}
		return insertAudit(ctx, tx, s, "queue.drop", by, &d)
	})
	if err != nil {
		return d, err
	}
	return d, notify(ctx, e.pool)
}

// dropCopies gives up shards and deferred copies until none is left: each becomes the other while it is
// looked at.
func (e *Engine) dropCopies(ctx context.Context, part *dropping, d *Dropped) error {
	for {
		shards := int64(0)
		for {
			var marked givenUp
			if err := inTx(ctx, e.pool, func(tx pgx.Tx) (err error) {
				marked, err = giveUpShards(ctx, tx, part, dropShards)
				return err
			}); err != nil {
				return err
			}
			shards += marked.Shards
			d.Copies += marked.Waiting
			d.Underway += marked.Underway
			if marked.Shards < dropShards {
				break
			}
		}
		part.after = firstCopy()
		copies, err := e.dropAll(ctx, dropDeferred, part.deferred)
		d.Copies += copies
		if err != nil || shards+copies == 0 {
			return err
		}
	}
}

var errNoName = errors.New("a drop needs a name, for the journal")

// dropping is a part of the queue that is given up.
type dropping struct {
	Selection
	cut   time.Time // what was accepted later stays
	by    string
	after copyKey // the last of the deferred copies that was looked at
}

// dropAll runs a step in transactions of its own until one does less than it might.
func (e *Engine) dropAll(ctx context.Context, limit int, step func(context.Context, pgx.Tx, int) (int64, error)) (total int64, err error) {
	for {
		var n int64
		err := inTx(ctx, e.pool, func(tx pgx.Tx) (err error) {
			n, err = step(ctx, tx, limit)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < int64(limit) {
			return total, nil
		}
	}
}

func (d *dropping) messages(ctx context.Context, tx pgx.Tx, limit int) (int64, error) {
	n, err := dropPosts(ctx, tx, d, limit)
	if err != nil || d.post() != nil {
		return n, err
	}
	m, err := dropNotices(ctx, tx, d, limit)
	return n + m, err
}

// deferred puts deferred copies into shards, as if they were due, and gives those up.
func (d *dropping) deferred(ctx context.Context, tx pgx.Tx, limit int) (int64, error) {
	due, err := lockDropped(ctx, tx, d, limit)
	if err != nil {
		return 0, err
	}
	if err := carryDue(ctx, tx, due, d.by); err != nil {
		return 0, err
	}
	for _, c := range due {
		if c.Fanout > d.after.fanout || c.Fanout == d.after.fanout && c.Member > d.after.member {
			d.after = copyKey{c.Fanout, c.Member}
		}
	}
	return int64(len(due)), nil
}

// closeGivenUp closes the shards that were given up and that nobody sends. Every sweep does it, as
// those which are being sent are given back only then.
func closeGivenUp(ctx context.Context, pool *pgxpool.Pool, pack *packer) error {
	for {
		n := 0
		err := inTx(ctx, pool, func(tx pgx.Tx) error {
			rows, err := lockGivenUp(ctx, tx, closeShards)
			n = len(rows)
			if err != nil || n == 0 {
				return err
			}
			shards, lines := make([]int64, n), make([][]byte, n)
			for i, r := range rows {
				var j journal
				if r.Done < r.Size {
					j.addDropped(time.Now(), r.Done, r.Size-1, r.GivenUp)
				}
				shards[i], lines[i] = r.ID, j.take(pack)
			}
			return closeDropped(ctx, tx, shards, lines)
		})
		if err != nil || n < closeShards {
			return err
		}
	}
}
