package fanout

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// channel is where nodes tell each other that there is something to plan.
const channel = "muster_fanout"

// Notify tells all nodes that something was committed that is to be sent. Who runs an Engine calls
// its Wake; this is for processes that do not, such as a command of the command line. Nothing is
// lost without it: nodes look for themselves every few seconds.
func Notify(ctx context.Context, pool *pgxpool.Pool) error {
	return notify(ctx, pool)
}

// bell is a wake-up that is rung from anywhere and never blocks. Rings while one is unheard are one.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// notifyGap is the least time between two notifications: a NOTIFY is a lock that all commits with
// one share, so thousands of posts a second send a few.
const notifyGap = 200 * time.Millisecond

// tellOthers sends on what Wake was told, at most every notifyGap.
func tellOthers(ctx context.Context, pool *pgxpool.Pool, rung bell, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-rung:
		}
		if err := notify(ctx, pool); err != nil && ctx.Err() == nil {
			log.Debug("other nodes not told", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(notifyGap):
		}
	}
}

// listen rings whenever another node tells of something, until ctx ends. Without a connection it
// tries again; the planner's poll stands in for it meanwhile.
func listen(ctx context.Context, pool *pgxpool.Pool, heard func(), log *slog.Logger) {
	s := newSession(pool)
	defer s.close()
	for ctx.Err() == nil {
		err := listenOnce(ctx, s, heard)
		if ctx.Err() != nil {
			return
		}
		log.Debug("not listening for other nodes", "error", err)
		s.close()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func listenOnce(ctx context.Context, s *session, heard func()) error {
	conn, err := s.open(ctx)
	if err != nil {
		return err
	}
	if err := subscribe(ctx, conn); err != nil {
		return err
	}
	heard() // whatever was told while nobody listened
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("waiting for %s: %w", channel, err)
		}
		heard()
	}
}
