package fanout

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

func hold(t *testing.T, e *Engine, s Selection) {
	t.Helper()
	if set, err := e.Hold(t.Context(), s, "ann@a.example"); err != nil || !set {
		t.Fatalf("held %t, %v", set, err)
	}
}

func release(t *testing.T, e *Engine, s Selection) {
	t.Helper()
	if err := e.Release(t.Context(), s, "ann@a.example"); err != nil {
		t.Fatal(err)
	}
}

// The one switch stops both of two nodes in the middle of what they send, and a start does not
// forget it; nobody gets a second copy when it goes on.
func TestHoldOfAllMailAcrossNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	const members = 4000
	w.members(list, members, 2)
	s := newSink(t)
	var slow atomic.Bool
	slow.Store(true)
	s.taken = func(*letter) {
		if slow.Load() {
			time.Sleep(2 * time.Millisecond)
		}
	}
	s.serve()
	c := w.config(s)
	c.Connections = 4
	one, stopOne := w.start(c)
	_, stopTwo := w.start(c)
	w.post(list, testMessage)
	one.Wake()
	eventually(t, "both nodes send", func() bool {
		return w.count(`SELECT count(DISTINCT node) FROM shard WHERE done > 0`) == 2
	})
	hold(t, one, Selection{})
	eventually(t, "every shard given back", func() bool {
		return w.count(`SELECT count(*) FROM shard WHERE state = 'claimed'`) == 0
	})
	settled := s.copies.Load()
	if settled == members {
		t.Fatal("nothing was left to hold")
	}
	stopOne()
	stopTwo()
	slow.Store(false)
	again, _ := w.start(c)
	w.notice(nil, "kim@c.example") // it waits as well
	sweeps(t, w, again)
	if got := s.copies.Load(); got != settled {
		t.Errorf("%d copies went out while all mail was held", got-settled)
	}
	if held, err := again.HoldsAll(t.Context()); err != nil || !held {
		t.Errorf("held %t, %v", held, err)
	}
	status, err := again.Status(t.Context())
	if err != nil || status.Held != members-settled+1 || status.Waiting != status.Held || len(status.Holds) != 1 || !status.AllHeld() || status.Holds[0].By != "ann@a.example" {
		t.Errorf("%+v, %v", status, err)
	}
	release(t, again, Selection{})
	w.finished()
	s.once(t, members+1)
}

// sweeps waits until an engine has claimed, planned and swept anew: a post of another list that
// nothing holds would have been sent by then, so its node has looked at everything before.
func sweeps(t *testing.T, w *world, e *Engine) {
	t.Helper()
	before := w.count(`SELECT count(*) FROM fanout WHERE planned IS NOT NULL`)
	w.post(w.list("other"+strings.Repeat("x", before), 1), testMessage)
	e.Wake()
	eventually(t, "planned and closed", func() bool {
		return w.count(`SELECT count(*) FROM fanout f WHERE f.finished IS NOT NULL AND f.copies = 0`) > 0
	})
}

// What is held by list or post is stepped over, and the rest goes out: also younger posts of the
// list of a held one.
func TestHoldOfAPostAndAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, other := w.list("dev", 1), w.list("other", 1)
	w.members(list, 900, 2)
	w.members(other, 10, 2)
	s := newSink(t).serve()
	e := New(w.pool, Config{})
	paused := w.post(list, testMessage)
	hold(t, e, Selection{Post: paused}) // before there is a fan-out of it
	hold(t, e, Selection{List: other})
	e, _ = w.start(w.config(s))
	w.post(other, testMessage)
	younger := w.post(list, testMessage)
	e.Wake()
	eventually(t, "the younger post is through", func() bool {
		return w.count(`SELECT count(*) FROM fanout WHERE post = $1 AND finished IS NOT NULL`, younger) == 1
	})
	eventually(t, "what is held is put by", func() bool {
		return w.count(`SELECT count(*) FROM shard WHERE state = 'ready'`) == 0
	})
	if n := s.copies.Load(); n != 900 {
		t.Errorf("%d copies", n)
	}
	for post, want := range map[uuid.UUID]bool{paused: true, younger: false} {
		if itself, others, err := e.HoldsPost(t.Context(), post); err != nil || itself != want || others {
			t.Errorf("held %t, with others %t, %v", itself, others, err)
		}
	}
	states := map[string]int64{}
	if err := e.EachQueued(t.Context(), Selection{}, func(q Queued) (bool, error) {
		states[q.List+" "+q.State] += q.Copies
		return true, nil
	}); err != nil || len(states) != 2 || states["dev@lists.example held"] != 900 || states["other@lists.example held"] != 10 {
		t.Errorf("%v, %v", states, err)
	}
	if status, err := e.Status(t.Context()); err != nil || status.Held != 910 || status.Holds[0].Address != "other@lists.example" || status.Holds[1].Subject != "hello" || status.AllHeld() {
		t.Errorf("%+v, %v", status, err)
	}
	release(t, e, Selection{Post: paused})
	eventually(t, "the held post is through", func() bool { return s.copies.Load() == 1800 })
	release(t, e, Selection{List: other})
	w.finished()
	if n := s.copies.Load(); n != 1810 {
		t.Errorf("%d copies", n)
	}
	if n := w.count(`SELECT count(*) FROM audit WHERE actor = 'ann@a.example' AND action IN ('queue.hold', 'queue.release')`); n != 4 {
		t.Errorf("%d entries in the audit trail", n)
	}
}

func TestHoldOfADestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := New(w.pool, Config{})
	if _, err := e.Hold(t.Context(), Selection{Destination: "mx:b.example"}, "cli"); !errors.Is(err, ErrNoDestination) {
		t.Error(err)
	}
	if err := e.Release(t.Context(), Selection{Destination: destRelay}, "cli"); !errors.Is(err, ErrNotHeld) {
		t.Error(err)
	}
	w.members(w.list("dev", 1), 10, 1)
	w.post(int64(w.count(`SELECT min(id) FROM list`)), testMessage)
	w.plan(true)
	hold(t, e, Selection{Destination: destRelay})
	if set, err := e.Hold(t.Context(), Selection{Destination: destRelay}, "cli"); err != nil || set {
		t.Errorf("held twice: %t, %v", set, err)
	}
	ready, err := selectReady(t.Context(), w.pool, 0, 10)
	if err != nil || len(ready) != 1 || ready[0].Open {
		t.Errorf("%+v, %v", ready, err)
	}
	if got := w.claims(w.node(), 5); len(got) != 0 { // had it been open a moment ago
		t.Errorf("%d shards claimed", len(got))
	}
	release(t, e, Selection{Destination: destRelay})
	if got := w.claims(w.node(), 5); len(got) != 1 {
		t.Errorf("%d shards claimed", len(got))
	}
}

// The time of what is held does not run out, and nobody's copy bounces for it.
func TestHeldTooLongIsNoBounce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 20, 1)
	e := New(w.pool, Config{})
	for _, what := range []Selection{{Destination: destRelay}, {List: list}} {
		post := w.post(list, testMessage)
		w.plan(true)
		hold(t, e, what)
		w.exec(`UPDATE fanout SET expires = now() - interval '1 minute'`)
		w.sweeper().sweep(t.Context())
		release(t, e, what)
		w.sweeper().sweep(t.Context())
		if n := w.count(`SELECT count(*) FROM bounce`) + w.count(`SELECT count(*) FROM delivery`); n != 0 {
			t.Errorf("%+v: %d bounces", what, n)
		}
		if n := w.count(`SELECT count(*) FROM fanout WHERE post = $1 AND expires > now() + interval '1 day'`, post); n != 1 {
			t.Errorf("%+v: what was held has no time left", what)
		}
	}
	w.exec(`UPDATE fanout SET expires = now() - interval '1 minute'`)
	w.exec(`UPDATE destination SET failures = 1`) // what was never tried goes on
	for range 2 {                                 // the second post is next when the first is through
		w.sweeper().sweep(t.Context())
	}
	if n := w.count(`SELECT count(*) FROM bounce`); n != 40 {
		t.Errorf("%d bounces of what nobody holds", n)
	}
}

// What was put by while its hold was lifted is found by the next sweep, and goes level with the rest.
func TestPutByForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 300, 1)
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`UPDATE shard SET state = 'held'`)
	w.exec(`UPDATE destination SET turn = 1000`)
	w.sweeper().sweep(t.Context())
	if n := w.count(`SELECT count(*) FROM shard WHERE state = 'ready' AND turn BETWEEN 1000 AND 1024`); n != 6 {
		t.Errorf("%d shards are level", n)
	}
}

func (w *world) sweeper() *sweeper {
	e := New(w.pool, Config{})
	return &sweeper{pool: w.pool, log: e.log, pack: e.pack, made: func() {}, plan: func() {}}
}

// A destination that may not be connected to hides none of those after it.
func TestReadyDestinationsPastABlockedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 60, 2)
	w.post(list, testMessage)
	w.plan(false)
	w.exec(`UPDATE destination SET blocked = now() + interval '5 minutes' WHERE id = (SELECT min(dest) FROM shard)`)
	open := 0
	for after := int64(0); ; {
		ready, err := selectReady(t.Context(), w.pool, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(ready) == 0 {
			break
		}
		after = ready[0].ID
		if ready[0].Open {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d destinations", open)
	}
}

// However many holds there are, and whatever is put by, each is looked up by its key.
func TestHoldsAreLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 400, 1)
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`INSERT INTO hold (post, actor) SELECT gen_random_uuid(), 'cli' FROM generate_series(1, 5000)`)
	w.exec(`INSERT INTO shard (fanout, dest, turn, size, state, node)
		SELECT f.id, d.id, g, 1, CASE WHEN g % 100 = 0 THEN 'held' WHEN g % 50 = 0 THEN 'claimed' WHEN g % 30 = 0 THEN 'ready' ELSE 'done' END, 1
		FROM fanout f, destination d, generate_series(1, 30000) g WHERE d.name = 'relay'`)
	w.exec(`ANALYZE`)
	dest, entries := w.count(`SELECT id FROM destination WHERE name = 'relay'`), 0
	if err := New(w.pool, Config{}).EachQueued(t.Context(), Selection{}, func(Queued) (bool, error) {
		entries++
		return true, nil
	}); err != nil || entries <= 2*queuedPage || entries != w.count(`SELECT count(*) FROM shard WHERE state <> 'done'`) {
		t.Errorf("%d entries of the queue, %v", entries, err)
	}
	for _, one := range []struct {
		name, sql, index string
		args             []any
	}{
		{"claim", sqlClaim, "shard_ready", []any{1, dest, 20, 1 << 40}},
		{"own", sqlOwn, "Index Scan using shard_", []any{1}},
		{"ready", sqlReady, "shard_ready", []any{0, 500, longestBlock}},
		{"held no more", sqlReadyHeld, "shard_held", []any{heldStep}},
		{"status", sqlStatus, "shard_unfinished", []any{MaxCounted}},
	} {
		rows, err := w.pool.Query(context.Background(), "EXPLAIN "+one.sql, one.args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if !strings.Contains(plan, "hold_pkey") || !strings.Contains(plan, one.index) || strings.Contains(plan, "Seq Scan on shard") {
			t.Errorf("%s:\n%s", one.name, plan)
		}
	}
}
