package fanout

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/lists"
)

// A post that most refuse for good is paused once, on all nodes, and its owner is told; who resumes
// it gets it to the end, each copy once.
func TestMostlyRefusedPostIsPaused(t *testing.T) {
	t.Parallel()
	const members = 20_000
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, members, 2)
	w.exec(`INSERT INTO role (list, key, address, role) VALUES ($1, 'ann@a.example', 'ann@a.example', 'owner')`, list)
	s := newSink(t)
	s.rcpt = func(to string) string {
		if strings.HasSuffix(to, "@d0.example") || strings.HasSuffix(to, "1@d1.example") {
			return "550 5.1.1 No such user"
		}
		return ""
	}
	c := w.config(s.serve())
	c.MaxRefused = 50
	service := lists.New(w.pool, lists.Config{})
	c.Stopped = service.TellStopped
	e, _ := w.start(c)
	w.start(c)
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "the post is paused, and its owner told", func() bool {
		stopped, err := e.IsStopped(t.Context(), post)
		if err != nil {
			t.Fatal(err)
		}
		return stopped && w.count(`SELECT count(*) FROM notice WHERE kind = 'stopped' AND address = 'ann@a.example'`) > 0
	})
	eventually(t, "nothing is under way", func() bool {
		return w.count(`SELECT count(*) FROM shard WHERE state = 'claimed'`) == 0
	})
	p, err := e.Progress(t.Context(), post)
	if err != nil || p.Bounced < minRefused || p.Bounced > members/2 || p.Waiting == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if n := w.count(`SELECT count(*) FROM audit WHERE action = 'queue.stop' AND actor = 'muster' AND (params->>'refused')::int >= $1`, minRefused); n != 1 {
		t.Errorf("%d times in the audit trail", n)
	}
	release(t, e, Selection{Post: post})
	w.finished()
	bounced := members/2 + members/10
	if n := w.count(`SELECT count(DISTINCT member) FROM bounce`); n != bounced {
		t.Errorf("%d bounced, want %d", n, bounced)
	}
	got := s.got()
	delete(got, "ann@a.example")
	if len(got) != members-bounced {
		t.Errorf("%d got a copy, want %d", len(got), members-bounced)
	}
	for to, n := range got {
		if n != 1 {
			t.Errorf("%s got %d copies", to, n)
		}
	}
	if n := w.count(`SELECT count(*) FROM notice WHERE kind = 'stopped'`); n != 1 {
		t.Errorf("%d notices", n)
	}
}

// What is too much, and that it is said once.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		percent      int64
		all, refused []int64
		want         int // the addition that makes it too many, from 1; 0: none
	}{
		{"off", 0, []int64{5000}, []int64{5000}, 0},
		{"too few to say", 50, []int64{999}, []int64{999}, 0},
		{"all", 50, []int64{999, 1, 1}, []int64{999, 1, 1}, 2},
		{"half", 50, []int64{2000, 2000}, []int64{1000, 1000}, 0},
		{"more than half", 50, []int64{2000, 10, 10}, []int64{1000, 10, 10}, 2},
		{"a few of many", 50, []int64{100_000, 2000}, []int64{100, 2000}, 0},
		{"a low limit", 1, []int64{100_000, 2000}, []int64{100, 1500}, 2},
	} {
		v := verdicts{percent: tt.percent}
		got := 0
		for i := range tt.all {
			if v.add(tt.all[i], tt.refused[i]) {
				got += i + 1
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// A post that is held already keeps its hold, and is not taken for one that was stopped.
func TestStopOfAHeldPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 3, 1)
	post := w.post(list, testMessage)
	w.plan(true)
	e := New(w.pool, Config{})
	hold(t, e, Selection{Post: post})
	var fanout int64
	w.row(`SELECT id FROM fanout`).into(&fanout)
	var said lists.Stopped
	stop := func(want bool) {
		t.Helper()
		err := inTx(t.Context(), w.pool, func(tx pgx.Tx) error {
			held, err := holdRefused(context.Background(), tx, fanout, &said)
			if held != want {
				t.Errorf("stopped %t", held)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop(false)
	release(t, e, Selection{Post: post})
	stop(true)
	if is, err := e.IsStopped(t.Context(), post); err != nil || !is || said.Post != post || said.List != list {
		t.Errorf("%t, %v, %+v", is, err, said)
	}
	release(t, e, Selection{Post: post})
	stop(false)
}
