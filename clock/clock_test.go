package clock

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the agreement of nodes that share a process.
type memory struct {
	mu   sync.Mutex
	last map[string]time.Time
	away bool
}

func (m *memory) Now(context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return time.Time{}, errors.New("the database is away")
	}
	return time.Now(), nil
}

func (m *memory) Take(_ context.Context, task string, slot time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return false, errors.New("the database is away")
	}
	last, known := m.last[task]
	if !known || last.Before(slot) {
		m.last[task] = slot
	}
	return known && last.Before(slot), nil
}

func (m *memory) goAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

// run starts a node with one task and returns what stops it.
func run(t *testing.T, s slots, schedule string, log *slog.Logger, do func(context.Context, time.Time) error) (stop func()) {
	t.Helper()
	c, err := newClock(s, []Task{{Name: "task", Schedule: schedule, Do: do}}, Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// counter counts firings and remembers when the last one was.
type counter struct {
	mu sync.Mutex
	n  int
	at time.Time
}

func (c *counter) fire(context.Context, time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n, c.at = c.n+1, time.Now()
	return nil
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestOneOfThreeNodesFiresEachSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared, fired := &memory{last: map[string]time.Time{}}, &counter{}
		for range 3 {
			defer run(t, shared, "*/10 * * * *", nil, fired.fire)()
		}
		time.Sleep(time.Hour + time.Minute) // the bubble begins at midnight
		synctest.Wait()
		if n := fired.count(); n != 6 {
			t.Errorf("fired %d times in an hour, want 6", n)
		}
		if late := time.Since(fired.at); late > time.Minute+defaultTick || late < time.Minute {
			t.Errorf("the last firing was %v ago, want about a minute", late)
		}
	})
}

func TestMissedSlotsAreMadeUpOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared, fired := &memory{last: map[string]time.Time{}}, &counter{}
		run(t, shared, "@hourly", nil, fired.fire)() // sees the task for the first time
		time.Sleep(5*time.Hour + 30*time.Minute)     // five slots come and go
		stop := run(t, shared, "@hourly", nil, fired.fire)
		synctest.Wait()
		if n := fired.count(); n != 1 {
			t.Errorf("fired %d times for what was missed, want once", n)
		}
		time.Sleep(31 * time.Minute)
		stop()
		if n := fired.count(); n != 2 {
			t.Errorf("fired %d times with the next slot, want 2", n)
		}
	})
}

func TestNewTaskHasMissedNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fired := &counter{}
		stop := run(t, &memory{last: map[string]time.Time{}}, "@daily", nil, fired.fire)
		time.Sleep(time.Hour)
		stop()
		if n := fired.count(); n != 0 {
			t.Errorf("fired %d times, want none before the first slot", n)
		}
	})
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		shared, fired := &memory{last: map[string]time.Time{}}, &counter{}
		stop := run(t, shared, "@hourly", slog.New(slog.NewTextHandler(&log, nil)), fired.fire)
		time.Sleep(time.Minute)
		shared.goAway(true)
		time.Sleep(90 * time.Minute)
		shared.goAway(false)
		time.Sleep(time.Minute)
		stop()
		if n := fired.count(); n != 1 {
			t.Errorf("fired %d times, want once after the database came back", n)
		}
		if !strings.Contains(log.String(), "the database is away") {
			t.Errorf("the log says nothing of it:\n%s", &log)
		}
	})
}

// A task that takes longer than its schedule runs once at a time, and Run waits for it.
func TestSlowTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most, n int
		var mu sync.Mutex
		slow := func(ctx context.Context, _ time.Time) error {
			mu.Lock()
			running, n = running+1, n+1
			most = max(most, running)
			mu.Unlock()
			defer func() { mu.Lock(); running--; mu.Unlock() }()
			select {
			case <-time.After(150 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		stop := run(t, &memory{last: map[string]time.Time{}}, "* * * * *", nil, slow)
		time.Sleep(10 * time.Minute)
		stop()
		if most != 1 || running != 0 || n < 3 {
			t.Errorf("ran %d times, %d at a time, %d after the end", n, most, running)
		}
	})
}

func TestFailureIsLoggedAndTheNextSlotFires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		fired := &counter{}
		stop := run(t, &memory{last: map[string]time.Time{}}, "* * * * *", slog.New(slog.NewTextHandler(&log, nil)),
			func(ctx context.Context, slot time.Time) error {
				return errors.Join(fired.fire(ctx, slot), errors.New("no luck"))
			})
		time.Sleep(3*time.Minute + 30*time.Second)
		stop()
		if fired.count() != 3 || strings.Count(log.String(), "no luck") != 3 {
			t.Errorf("fired %d times, log:\n%s", fired.count(), &log)
		}
	})
}

func TestBadScheduleIsAnError(t *testing.T) {
	t.Parallel()
	for _, schedule := range []string{"at five", "61 * * * *", "@every 1h"} {
		_, err := newClock(&memory{}, []Task{{Name: "tea", Schedule: schedule}}, Config{})
		if err == nil || !strings.Contains(err.Error(), "tea") {
			t.Errorf("%s: error = %v, want one that names the task", schedule, err)
		}
	}
}

func TestLatestSlot(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 34, 56, 0, time.UTC)
	for _, tt := range []struct{ schedule, want string }{
		{"* * * * *", "2026-03-01 12:34"},
		{"*/5 * * * *", "2026-03-01 12:30"},
		{"34 12 * * *", "2026-03-01 12:34"},
		{"35 12 * * *", "2026-02-28 12:35"},
		{"@weekly", "2026-03-01 00:00"},
		{"0 0 31 * *", "2026-01-31 00:00"},
		{"0 0 29 2 *", "2024-02-29 00:00"},
	} {
		schedule, err := cron.ParseStandard(tt.schedule)
		if err != nil {
			t.Fatal(err)
		}
		slot, ok := latest(schedule, now)
		if got := slot.Format("2006-01-02 15:04"); !ok || got != tt.want {
			t.Errorf("%s: %s, want %s", tt.schedule, got, tt.want)
		}
	}
	never, err := cron.ParseStandard("0 0 30 2 *")
	if err != nil {
		t.Fatal(err)
	}
	if slot, ok := latest(never, now); ok {
		t.Errorf("30 February came on %s", slot)
	}
}
