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
	// PrunePolicies deletes policies of domains that hold no more.
	PrunePolicies(ctx context.Context) error
	// EachLate calls yield with what has waited for longer than a time, list by list, until it
	// returns an error.
	EachLate(ctx context.Context, after time.Duration, yield func(lists.Late) error) error
}

// Parts are what the tasks drive.
type Parts struct {
	Pool     *pgxpool.Pool
	Lists    *lists.Service
	Fanouts  Fanouts
	TXT      lists.TXTFunc
	WarnLate time.Duration // how long copies wait before owners are told; 0: they are not
}

// keepFanouts is how long it can be asked what servers answered.
const keepFanouts = 14 * 24 * time.Hour

// Tasks are what Muster does by time. Their minutes differ so that they do not all start at once.
func Tasks(p Parts) []Task {
	tasks := []Task{
		{Name: "dkim-records", Schedule: "*/5 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			_, err := p.Lists.ActivateSeenKeys(ctx, p.TXT)
			return err
		}},
		{Name: "expire-held", Schedule: "17 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			_, err := p.Lists.ExpireHeld(ctx)
			return err
		}},
		{Name: "tell-waiting", Schedule: "37 6 * * *", Do: func(ctx context.Context, _ time.Time) error {
			_, err := p.Lists.TellWaiting(ctx)
			return err
		}},
		{Name: "prune-lists", Schedule: "7 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			_, err := p.Lists.Prune(ctx)
			return err
		}},
		{Name: "prune-seen", Schedule: "27 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			return pruneSeen(ctx, p.Pool)
		}},
		{Name: "prune-fanouts", Schedule: "47 * * * *", Do: func(ctx context.Context, slot time.Time) error {
			return pruneFanouts(ctx, p.Fanouts, slot.Add(-keepFanouts))
		}},
		{Name: "prune-policies", Schedule: "57 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			return p.Fanouts.PrunePolicies(ctx)
		}},
	}
	if p.WarnLate > 0 {
		tasks = append(tasks, Task{Name: "warn-late", Schedule: "2-59/10 * * * *", Do: func(ctx context.Context, _ time.Time) error {
			return p.Fanouts.EachLate(ctx, p.WarnLate, func(late lists.Late) error {
				_, err := p.Lists.TellLate(ctx, late)
				return err
			})
		}})
	}
	return tasks
}

func pruneFanouts(ctx context.Context, fanouts Fanouts, before time.Time) error {
	for {
		n, err := fanouts.Prune(ctx, before)
		if err != nil || n == 0 {
			return err
		}
	}
}
