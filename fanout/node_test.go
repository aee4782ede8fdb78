package fanout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchBuriesOnlyWhoStandsStill(t *testing.T) {
	t.Parallel()
	type read struct {
		after time.Duration
		beats []beatRow
	}
	still := func(after time.Duration, beat int64) read {
		return read{after, []beatRow{{1, 100}, {2, beat}}}
	}
	tests := []struct {
		name  string
		reads []read
		dead  int // the index of the read that finds node 2 dead; -1 for none
	}{
		{"dead after five reads of standing still", []read{still(0, 7), still(2, 7), still(2, 7), still(2, 7), still(2, 7), still(2, 7)}, 5},
		{"alive", []read{still(0, 1), still(2, 2), still(2, 3), still(2, 4), still(2, 5), still(2, 6), still(2, 7)}, -1},
		{"one late beat", []read{still(0, 1), still(2, 1), still(2, 1), still(2, 1), still(2, 2), still(2, 2), still(2, 2), still(2, 2)}, -1},
		{"few reads far apart", []read{still(0, 1), still(30, 1), still(30, 1), still(30, 1), still(30, 1)}, -1},
		{"the database was away for a minute", []read{still(0, 1), still(2, 1), still(60, 1), still(2, 1), still(2, 1), still(2, 1)}, -1},
		{"and then enough", []read{still(0, 1), still(2, 1), still(60, 1), still(2, 1), still(2, 1), still(2, 1), still(2, 1)}, 6},
		{"many quick reads", []read{still(0, 1), still(1, 1), still(1, 1), still(1, 1), still(1, 1), still(1, 1), still(1, 1), still(1, 1), still(1, 1)}, -1},
		{"gone and back", []read{still(0, 1), still(2, 1), still(2, 1), {2, []beatRow{{1, 100}}}, still(2, 1), still(2, 1), still(2, 1)}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := watch{every: 2 * time.Second, patience: 9 * time.Second, seen: map[int64]*sight{}}
			now, found := time.Now(), -1
			for i, r := range tt.reads {
				now = now.Add(r.after * time.Second)
				for _, d := range w.read(now, 1, r.beats) {
					if d.ID == 1 {
						t.Error("it buried itself")
					} else if found < 0 {
						found = i
					}
				}
			}
			if found != tt.dead {
				t.Errorf("dead at read %d, want %d", found, tt.dead)
			}
		})
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLease(6 * time.Second)
		l.renew(time.Now())
		time.Sleep(5 * time.Second)
		if err := l.wait(t.Context()); err != nil || !l.ahead() {
			t.Fatal("not ahead after 5 s")
		}
		sent := time.Now()
		time.Sleep(time.Second)
		if l.ahead() {
			t.Fatal("ahead after 6 s without a beat")
		}
		waited := make(chan error)
		go func() { waited <- l.wait(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatal("did not wait", err)
		default:
		}
		l.renew(sent) // counted from before it was sent
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if l.ahead() {
			t.Fatal("a beat counts from before it was sent")
		}
		go func() { waited <- l.wait(t.Context()) }()
		synctest.Wait()
		close(l.dead)
		if err := <-waited; !errors.Is(err, errDead) {
			t.Fatal(err)
		}
		l.renew(time.Now())
		if l.ahead() {
			t.Fatal("ahead although dead")
		}
	})
}

// TestStoppedNodeIsNotShownAsDead tells who stopped when told to from who was found dead.
func TestStoppedNodeIsNotShownAsDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stopped, dead := w.node(), w.node()
	w.node()
	if err := leaveNode(t.Context(), w.pool, stopped); err != nil {
		t.Fatal(err)
	}
	if buried, err := buryNode(t.Context(), w.pool, dead, 0); err != nil || !buried {
		t.Fatal(buried, err)
	}
	nodes, err := selectNodes(t.Context(), w.pool)
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%+v, %v", nodes, err)
	}
	for _, n := range nodes {
		if n.Stopped != (n.ID == stopped) || n.Alive != (n.ID != stopped && n.ID != dead) {
			t.Errorf("%+v", n)
		}
	}
}

func TestIdentityProvesThePredecessorDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	mine, err := insertNode(ctx, w.pool, "directory-1", "a")
	if err != nil {
		t.Fatal(err)
	}
	others := []int64{w.node(), w.node()} // without an identity
	if _, err := insertNode(ctx, w.pool, "directory-2", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := insertNode(ctx, w.pool, "directory-1", "a"); err != nil {
		t.Fatal(err)
	}
	if n := w.count(`SELECT count(*) FROM node WHERE dead IS NOT NULL`); n != 1 {
		t.Errorf("%d dead", n)
	}
	if n := w.count(`SELECT count(*) FROM node WHERE id = $1 AND dead IS NOT NULL`, mine); n != 1 {
		t.Error("the predecessor lives")
	}
	if alive, err := beatNode(ctx, w.pool, mine); alive || err != nil {
		t.Error("a dead row beats", err)
	}
	if alive, err := beatNode(ctx, w.pool, others[0]); !alive || err != nil {
		t.Error("another's row does not beat", err)
	}
}
