package clock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/robfig/cron/v3"
)

// Task is something to do by time.
type Task struct {
	Name string
	// Schedule is in the five fields of cron, in UTC, or @hourly, @daily and the like.
	Schedule string
	// Do is given the slot's moment, by the database's clock.
	Do func(ctx context.Context, slot time.Time) error
}

// Config is what a Clock needs beside its tasks. The zero value is ready.
type Config struct {
	Tick time.Duration // how often to look; 0 is 20 seconds
	Log  *slog.Logger  // nil discards
}

const defaultTick = 20 * time.Second

// slots is where nodes agree on who fires what.
type slots interface {
	// Now is the time by the one clock that all nodes share.
	Now(ctx context.Context) (time.Time, error)
	// Take claims a slot of a task. It is false if a node has it already, or a later one, and also
	// when the task is seen for the first time: its past slots were not missed.
	Take(ctx context.Context, task string, slot time.Time) (bool, error)
}

// Clock fires tasks.
type Clock struct {
	slots slots
	tasks []*scheduled
	cfg   Config
}

// scheduled is a task with its schedule read. It runs once at a time on a node.
type scheduled struct {
	Task
	schedule cron.Schedule
	running  sync.Mutex
}

// New makes a Clock whose nodes agree by the table clock. An error names a schedule that is none.
func New(pool *pgxpool.Pool, tasks []Task, cfg Config) (*Clock, error) {
	return newClock(store{pool}, tasks, cfg)
}

func newClock(s slots, tasks []Task, cfg Config) (*Clock, error) {
	if cfg.Tick == 0 {
		cfg.Tick = defaultTick
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Clock{slots: s, cfg: cfg}
	for _, t := range tasks {
		schedule, err := parse(t.Schedule)
		if err != nil {
			return nil, fmt.Errorf("task %s: schedule %q: %w", t.Name, t.Schedule, err)
		}
		c.tasks = append(c.tasks, &scheduled{Task: t, schedule: schedule})
	}
	return c, nil
}

// parse reads a schedule. "@every 1h" is refused: it counts from when a node looked, so that no two
// nodes would mean the same slot.
func parse(s string) (cron.Schedule, error) {
	schedule, err := cron.ParseStandard(s)
	if err != nil {
		return nil, err
	}
	if _, ok := schedule.(*cron.SpecSchedule); !ok {
		return nil, errors.New("it has no fixed slots")
	}
	return schedule, nil
}

// Run looks at once and then every tick, until ctx is done.
func (c *Clock) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ticker := time.NewTicker(c.cfg.Tick)
	defer ticker.Stop()
	for {
		c.look(ctx, &running)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look fires what is due. A database that is away is no reason to stop: what was missed is made up.
func (c *Clock) look(ctx context.Context, running *sync.WaitGroup) {
	now, err := c.slots.Now(ctx)
	if err != nil {
		c.warn(ctx, "clock cannot read the time", err)
		return
	}
	for _, t := range c.tasks {
		slot, ok := latest(t.schedule, now.UTC())
		if !ok {
			continue
		}
		if !t.running.TryLock() { // still at an earlier slot; this one is taken when it is done
			continue
		}
		mine, err := c.slots.Take(ctx, t.Name, slot)
		if err != nil {
			c.warn(ctx, "clock cannot take a slot", fmt.Errorf("task %s: %w", t.Name, err))
		}
		if !mine {
			t.running.Unlock()
			continue
		}
		running.Go(func() {
			defer t.running.Unlock()
			c.fire(ctx, t, slot)
		})
	}
}

func (c *Clock) fire(ctx context.Context, t *scheduled, slot time.Time) {
	began := time.Now()
	if err := t.Do(ctx, slot); err != nil {
		c.warn(ctx, "task failed", fmt.Errorf("task %s of %s: %w", t.Name, slot.Format(time.RFC3339), err))
		return
	}
	c.cfg.Log.InfoContext(ctx, "task done", "task", t.Name, "slot", slot, "took", time.Since(began).Round(time.Millisecond))
}

// warn logs a failure, unless it only says that the node stops.
func (c *Clock) warn(ctx context.Context, msg string, err error) {
	if ctx.Err() == nil {
		c.cfg.Log.WarnContext(ctx, msg, "err", err)
	}
}

// latest is the last slot of a schedule at or before now. Schedules only know what comes next, so
// it looks from further and further back; a schedule without a slot in five years has none.
func latest(s cron.Schedule, now time.Time) (time.Time, bool) {
	const day = 24 * time.Hour
	for _, back := range []time.Duration{2 * time.Minute, 2 * time.Hour, 2 * day, 62 * day, 5 * 366 * day} {
		slot := s.Next(now.Add(-back))
		if slot.IsZero() || slot.After(now) {
			continue
		}
		for next := s.Next(slot); !next.IsZero() && !next.After(now); next = s.Next(next) {
			slot = next
		}
		return slot, true
	}
	return time.Time{}, false
}
