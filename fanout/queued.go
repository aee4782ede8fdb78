package fanout

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Queued is one entry of the queue: a shard, or a deferred copy that waits for its time.
type Queued struct {
	Post        uuid.UUID // zero for a notice
	List        string    // address; "" for mail of the site
	Destination string
	State       string // "queued", "ready", "claimed", "held", "dropped", "aside", "deferred"
	Copies      int64
	Accepted    time.Time

	// Of a deferred copy.
	Address  string
	Attempts int32
	Due      time.Time
	Host     string // that deferred it
	Reply    string

	Fanout int64
	ID     int64 // of the shard, or of the member
}

// queuedPage is how many entries are read at a time.
const queuedPage = 500

// EachQueued calls yield for the entries of a part of the queue, first shards, then deferred copies
// that no shard carries, until it returns false or an error. It reads them page by page.
func (e *Engine) EachQueued(ctx context.Context, s Selection, yield func(Queued) (more bool, err error)) error {
	if _, err := s.dest(ctx, e.pool); err != nil {
		return err
	}
	for _, kind := range []string{sqlQueuedShards, sqlQueuedCopies} {
		var last Queued
		for more := true; more; {
			page, err := selectQueued(ctx, e.pool, kind, s, last)
			if err != nil {
				return err
			}
			for _, last = range page {
				if more, err := yield(last); err != nil || !more {
					return err
				}
			}
			more = len(page) == queuedPage
		}
	}
	return nil
}
