package clock

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
	"muster/migrations/testdb"
	"muster/smtp"
)

func TestTakeHasOneWinner(t *testing.T) {
	t.Parallel()
	s := store{testdb.New(t)}
	slot := time.Now().Truncate(time.Hour)
	if mine, err := s.Take(t.Context(), "task", slot.Add(-time.Hour)); mine || err != nil {
		t.Fatalf("a task seen for the first time: %v, %v", mine, err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			mine, err := s.Take(t.Context(), "task", slot)
			if err != nil {
				t.Error(err)
			}
			if mine {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d nodes won the slot", won.Load())
	}
	if mine, err := s.Take(t.Context(), "task", slot.Add(-time.Minute)); mine || err != nil {
		t.Errorf("an older slot was taken after a younger: %v, %v", mine, err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	pool, fanouts := testdb.New(t), &fakeFanouts{left: 250}
	fill(t, pool)
	for _, task := range Tasks(Parts{Pool: pool, Lists: lists.New(pool, lists.Config{}), Fanouts: fanouts}) {
		if err := task.Do(t.Context(), time.Now()); err != nil {
			t.Errorf("%s: %v", task.Name, err)
		}
	}
	if fanouts.policies != 1 {
		t.Errorf("policies were pruned %d times", fanouts.policies)
	}
	if age := time.Since(fanouts.before); fanouts.left != 0 || age < 14*24*time.Hour || age > 15*24*time.Hour {
		t.Errorf("fan-outs older than %v were pruned, %d are left", age, fanouts.left)
	}
	for table, want := range map[string]int{"seen": 1, "token": 2, "session": 1, "rate": 1} {
		var n int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != want {
			t.Errorf("%s has %d rows left, want %d", table, n, want)
		}
	}
}

// fakeFanouts has something left to prune, in steps.
type fakeFanouts struct {
	left   int64
	before time.Time
	late   []lists.Late
	after  time.Duration

	policies int // times that policies were pruned
}

func (f *fakeFanouts) EachLate(_ context.Context, after time.Duration, yield func(lists.Late) error) error {
	f.after = after
	for _, late := range f.late {
		if err := yield(late); err != nil {
			return err
		}
	}
	return nil
}

// What is late is told, unless it is switched off.
func TestWarnLate(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	service := lists.New(pool, lists.Config{})
	l, err := service.CreateList(t.Context(), lists.CLI(), lists.NewList{
		Address: smtp.Address{Local: "dev", Domain: "lists.example"}, Owners: []smtp.Address{{Local: "ann", Domain: "a.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fanouts := &fakeFanouts{late: []lists.Late{{List: l.ID, Copies: 1, Posts: []lists.LatePost{{Copies: 1}}}}}
	told := func(warn time.Duration) (n int) {
		t.Helper()
		for _, task := range Tasks(Parts{Pool: pool, Lists: service, Fanouts: fanouts, WarnLate: warn}) {
			if err := task.Do(t.Context(), time.Now()); err != nil {
				t.Errorf("%s: %v", task.Name, err)
			}
		}
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM notice WHERE kind = 'late'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := told(0); n != 0 {
		t.Errorf("%d notices although it is off", n)
	}
	if n := told(3 * time.Hour); n != 1 || fanouts.after != 3*time.Hour {
		t.Errorf("%d notices of what is late after %v", n, fanouts.after)
	}
}

func (f *fakeFanouts) Prune(_ context.Context, before time.Time) (int64, error) {
	f.before = before
	n := min(f.left, 100)
	f.left -= n
	return n, nil
}

func (f *fakeFanouts) PrunePolicies(context.Context) error { f.policies++; return nil }

// fill puts into each table rows that have had their time, in seen more than one batch of them, and
// rows that have not.
func fill(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, sql := range strings.Split(`
		INSERT INTO domain (name) VALUES ('lists.example');
		INSERT INTO list (domain, local, name) SELECT id, 'dev', '' FROM domain;
		INSERT INTO seen (list, id_hash, body_hash, until) SELECT list.id, n::text::bytea, '', now() - interval '1 s' FROM list, generate_series(1, 5001) n;
		INSERT INTO seen (list, id_hash, body_hash, until) SELECT id, 'new', '', now() + interval '1 day' FROM list;
		INSERT INTO token (hash, purpose, key, expires) VALUES
			('old', 'signin', 'a@b.example', now() - interval '31 days'),
			('late', 'signin', 'a@b.example', now() - interval '1 day'),
			('open', 'signin', 'a@b.example', now() + interval '1 day');
		UPDATE token SET used = now() - interval '1 day' WHERE hash = 'late';
		INSERT INTO person (name) VALUES ('Ann');
		INSERT INTO session (token_hash, person, seen) SELECT 'old', id, now() - interval '61 days' FROM person;
		INSERT INTO session (token_hash, person, seen) SELECT 'new', id, now() FROM person;
		INSERT INTO rate (key, n, until) VALUES ('old', 1, now() - interval '1 s'), ('new', 1, now() + interval '1 minute')`, ";") {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%v in %s", err, sql)
		}
	}
}

func TestTwoNodesMakeUpOneSlotOnce(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO clock (task, last_slot) VALUES ('task', now() - interval '3 hours')`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var fired atomic.Int32
	task := Task{Name: "task", Schedule: "@hourly", Do: func(context.Context, time.Time) error { fired.Add(1); return nil }}
	var nodes sync.WaitGroup
	for range 2 {
		c, err := New(pool, []Task{task}, Config{Tick: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		nodes.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for fired.Load() == 0 && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // some more ticks of both
	cancel()
	nodes.Wait()
	if n := fired.Load(); n != 1 {
		t.Errorf("two nodes fired a missed slot %d times", n)
	}
}
