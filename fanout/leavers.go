package fanout

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// leavers is who left the lists of a fan-out since it began here, shared by all its connections:
// they ask every fiftieth member, and get an answer that is at most leaversAge old.
type leavers struct {
	mu    sync.Mutex
	asked time.Time
	since time.Time // by the database's clock
	gone  map[int64]struct{}
}

const (
	// leaversAge is how old an answer may be: with twenty connections it makes one question of
	// a hundred.
	leaversAge = 50 * time.Millisecond
	// leaversOverlap is how far back the next question goes: left_at is when a transaction began,
	// and it is seen when it has ended.
	leaversOverlap = time.Minute
)

// ask makes sure of an answer that is young enough. Without the database it stays as it was: they
// were asked for when their shard was claimed, and no dot is sent then.
func (l *leavers) ask(ctx context.Context, pool *pgxpool.Pool, fanout int64, log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.asked) < leaversAge {
		return
	}
	asked := time.Now()
	rows, err := selectGone(ctx, pool, fanout, l.since)
	if err != nil {
		log.Debug("not asked who left", "fanout", fanout, "error", err)
		return
	}
	l.asked = asked
	if len(rows) > 0 && l.gone == nil {
		l.gone = map[int64]struct{}{}
	}
	for _, r := range rows {
		l.gone[r.ID] = struct{}{}
		if from := r.LeftAt.Add(-leaversOverlap); from.After(l.since) {
			l.since = from
		}
	}
}

// has says whether a member has left.
func (l *leavers) has(member int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, gone := l.gone[member]
	return gone
}
