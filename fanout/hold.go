package fanout

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/jackc/pgx/v5"
)

// Hold keeps a part of the queue from being sent until somebody releases it. It is kept in the
// database, so that it holds on every node and after each start.
type Hold struct {
	What    Selection
	Address string // of the list, where it names one
	Subject string // of the post
	At      time.Time
	By      string
}

// The ways a hold is not set or lifted.
var (
	ErrNoDestination = errors.New("there is no such destination")
	ErrNotHeld       = errors.New("nothing is held by that")
)

// Hold keeps a part of the queue, of now and of later, from being sent; an empty selection all mail.
// A transaction under way may finish. It reports false where the very same is held already.
func (e *Engine) Hold(ctx context.Context, s Selection, by string) (bool, error) {
	var set bool
	err := inTx(ctx, e.pool, func(tx pgx.Tx) error {
		dest, err := s.dest(ctx, tx)
		if err != nil {
			return err
		}
		if set, err = insertHold(ctx, tx, s, dest, by); err != nil || !set {
			return err
		}
		return insertAudit(ctx, tx, s, "queue.hold", by, nil)
	})
	return set, err
}

// Release lifts the hold that was set with the same selection; what another hold names too stays.
func (e *Engine) Release(ctx context.Context, s Selection, by string) error {
	err := inTx(ctx, e.pool, func(tx pgx.Tx) error {
		dest, err := s.dest(ctx, tx)
		if err != nil {
			return err
		}
		lifted, err := deleteHold(ctx, tx, s, dest)
		if err != nil {
			return err
		}
		if !lifted {
			return ErrNotHeld
		}
		return insertAudit(ctx, tx, s, "queue.release", by, nil)
	})
	if err != nil {
		return err
	}
	if _, err := unpark(ctx, e.pool); err != nil {
		return err
	}
	return notify(ctx, e.pool)
}

// maxHolds bounds the holds that are told of.
const maxHolds = 100

// Holds tells what is held: all mail first, if it is, then the latest, a hundred at most.
func (e *Engine) Holds(ctx context.Context) ([]Hold, error) {
	return selectHolds(ctx, e.pool, maxHolds)
}

// HoldsAll says whether all outgoing mail is held.
func (e *Engine) HoldsAll(ctx context.Context) (bool, error) {
	return isAllHeld(ctx, e.pool)
}

// HoldsPost says whether a post is held by itself, and whether its list or all mail is.
func (e *Engine) HoldsPost(ctx context.Context, post uuid.UUID) (itself, others bool, err error) {
	return isPostHeld(ctx, e.pool, post)
}

// unpark takes shards back into the queue that are put by and not held any more. Every sweep looks,
// so that none stays behind that was put by while its hold was lifted.
func unpark(ctx context.Context, pool querier) (bool, error) {
	any := false
	for {
		lines, n, err := readyHeld(ctx, pool, heldStep)
		if err != nil || n == 0 {
			return any, err
		}
		any = true
		if _, err := advance(ctx, pool, lines); err != nil {
			return any, err
		}
	}
}

// heldStep is how many shards one statement makes ready.
const heldStep = 2000
