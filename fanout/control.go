package fanout

import (
	"context"

	"github.com/google/uuid"
)

// Selection is a part of the queue. An empty field selects nothing by it; together they narrow.
type Selection struct {
	List        int64     // what goes to the members of this list
	Destination string    // as Status names it
	Post        uuid.UUID // the copies of this post
}

// retryStep is how many deferred copies one transaction makes due.
const retryStep = 1000

// Retry makes the deferred copies of a part of the queue due now, and lets the destinations where
// copies of it wait be connected to again at once. It tells how many copies and destinations that was. A
// copy another transaction works on at this moment is left to it.
func (e *Engine) Retry(ctx context.Context, s Selection) (copies, destinations int64, err error) {
	if _, err := s.dest(ctx, e.pool); err != nil {
		return 0, 0, err
	}
	if err := retryMixed(ctx, e.pool, s); err != nil {
		return 0, 0, err
	}
	if destinations, err = unblock(ctx, e.pool, s); err != nil {
		return 0, 0, err
	}
	for last := firstCopy(); ; {
		var n int64
		if last, n, err = makeDue(ctx, e.pool, s, last, retryStep); err != nil {
			return copies, destinations, err
		}
		copies += n
		if n < retryStep {
			return copies, destinations, notify(ctx, e.pool)
		}
	}
}
