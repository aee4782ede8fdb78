package clock

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
)

// Fanouts is the part of the fan-out's engine that the clock drives.
type Fanouts interface {
	// Prune deletes what is kept of fan-outs finished before a moment, and tells how much; the
	// caller asks again while it is more than nothing.
	Prune(ctx context.Context, before time.Time) (int64, error)
}

// keepFanouts is how long it can be asked what servers answered.
const keepFanouts = 14 * 24 * time.Hour

// Tasks are what Muster does by time. Their minutes differ so that they do not all start at once.
func Tasks(pool *pgxpool.Pool, service *lists.Service, fanouts Fanouts, txt lists.TXTFunc) []Task {
	return []Task{
		{Name: "dkim-records", Schedule: "*/5 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			_, err := service.ActivateSeenKeys(ctx, txt)
			return err
		}},
		{Name: "prune-lists", Schedule: "7 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			_, err := service.Prune(ctx)
			return err
		}},
		{Name: "prune-seen", Schedule: "27 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			return pruneSeen(ctx, pool)
		}},
		{Name: "prune-fanouts", Schedule: "47 * * * *", Do: func(ctx context.Context, slot time.Time) error {
			return pruneFanouts(ctx, fanouts, slot.Add(-keepFanouts))
		}},
	}
}

func pruneFanouts(ctx context.Context, fanouts Fanouts, before time.Time) error {
	for {
		n, err := fanouts.Prune(ctx, before)
		if err != nil || n == 0 {
			return err
		}
	}
}
