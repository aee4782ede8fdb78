package fanout

import (
	"context"
	"slices"
	"testing"
	"time"
)

// Each fan-out that is through is closed by some sweep, and where few are open by the next.
func TestSweepsCloseEachFanout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 10, 1)
	const posts = 7
	for range posts {
		w.post(list, testMessage)
	}
	w.plan(true)
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size`)
	w.exec(`UPDATE shard SET state = 'ready' WHERE id = (SELECT min(id) FROM shard)`)
	var last openFanout
	var err error
	for _, want := range []int{2, 5, 6} { // of three looked at in turn, the first of which is not through
		if last, err = finishFanouts(t.Context(), w.pool, last, 3); err != nil {
			t.Fatal(err)
		}
		if n := w.count(`SELECT count(*) FROM fanout WHERE finished IS NOT NULL`); n != want {
			t.Errorf("%d are closed, want %d", n, want)
		}
	}
	if last != (openFanout{}) {
		t.Errorf("after the last comes %v", last)
	}
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size`)
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size`)
	w.sweeper().sweep(t.Context())
	if n := w.count(`SELECT count(*) FROM fanout WHERE finished IS NOT NULL AND delivered = 10`); n != posts+1 {
		t.Errorf("%d are closed after a sweep", n)
	}
}

// What a sweep costs does not grow with the fan-outs that are open, nor with those that are finished,
// whatever PostgreSQL thinks of the tables.
func TestClosingCostsThePageOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 1, 1)
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`ANALYZE`)
	const page = 100
	cost := func(what string, after openFanout) {
		t.Helper()
		if n, plan := w.pages(sqlFinish, after.expires, after.id, page); n > 15*page {
			t.Errorf("%s: %d pages\n%s", what, n, plan)
		}
	}
	w.exec(`INSERT INTO notice (id, list, kind, address, planned)
		SELECT gen_random_uuid(), $1, 'welcome', 'kim@c.example', now() FROM generate_series(1, 3000)`, list)
	w.exec(`INSERT INTO fanout (notice, list, verp, ordered, accepted, expires, planned, finished, copies)
		SELECT n.id, $1, false, false, now(), now() + g * interval '1 second', now(), CASE WHEN g <= 1000 THEN now() END, 1
		FROM (SELECT id, row_number() OVER () AS g FROM notice) n`, list)
	w.exec(`INSERT INTO shard (fanout, dest, turn, size, state)
		SELECT f.id, d.id, f.id, 1, CASE WHEN f.finished IS NULL THEN 'ready' ELSE 'done' END
		FROM fanout f, destination d WHERE f.notice IS NOT NULL AND d.name = 'relay'`)
	cost("statistics of an empty table", openFanout{})
	w.exec(`ANALYZE`)
	cost("fresh statistics", openFanout{})
	var middle openFanout
	w.row(`SELECT expires, id FROM fanout WHERE finished IS NULL ORDER BY expires OFFSET 1000 LIMIT 1`).into(&middle.expires, &middle.id)
	cost("from the middle on", middle)
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size WHERE id % 10 = 0`)
	cost("a tenth is through", openFanout{})
}

// What may be through is closed with the next sweep, however many fan-outs are open before it, and at a cost that is
// its own; what was kept of how to find it when all was empty costs nothing.
func TestWhatEndedIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 3, 1)
	w.exec(`ANALYZE`)
	for range 8 { // a plan is kept after a few times
		if n, err := finishThese(t.Context(), w.pool, []int64{1, 2}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`INSERT INTO notice (id, list, kind, address, planned)
		SELECT gen_random_uuid(), $1, 'welcome', 'kim@c.example', now() FROM generate_series(1, 3000)`, list)
	w.exec(`INSERT INTO fanout (notice, list, verp, ordered, accepted, expires, planned, copies)
		SELECT n.id, $1, false, false, now(), now() + interval '1 second', now(), 1 FROM notice n`, list)
	w.exec(`INSERT INTO shard (fanout, dest, turn, size, state)
		SELECT f.id, d.id, f.id, 1, 'ready' FROM fanout f, destination d WHERE f.notice IS NOT NULL AND d.name = 'relay'`)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, g, d.id, 'failed', 1, now() FROM fanout f, destination d, generate_series(1, 3) g WHERE d.name = 'relay'`)
	post := int64(w.count(`SELECT id FROM fanout WHERE post IS NOT NULL`))
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size WHERE fanout = $1`, post)
	if n, plan := w.pages(sqlFinishThese, []int64{post, post, 0}); n > 60 {
		t.Errorf("%d pages\n%s", n, plan)
	}
	s := w.sweeper()
	s.closing = new(closing)
	s.closing.add(post, post, 1<<40)
	s.sweep(t.Context())
	if n := w.count(`SELECT count(*) FROM fanout WHERE finished IS NOT NULL`); n != 1 {
		t.Errorf("%d are closed", n)
	}
	s.closing.add(5, 3)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := s.finish(ended); err == nil {
		t.Error("no error")
	}
	if left := s.closing.take(); !slices.Equal(left, []int64{3, 5}) {
		t.Errorf("after an error %v are left", left)
	}
}

// A post that is through is closed, with the engine's own word, before its turn among those that are open.
func TestEngineClosesWhatEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 3, 1)
	s := newSink(t).serve()
	c := w.config(s)
	c.pace.sweep = time.Second // in which the others are not gone through
	w.exec(`INSERT INTO notice (id, list, kind, address, planned)
		SELECT gen_random_uuid(), $1, 'welcome', 'kim@c.example', now() FROM generate_series(1, 20000)`, list)
	w.exec(`INSERT INTO fanout (notice, list, verp, ordered, accepted, expires, planned, copies)
		SELECT n.id, $1, false, false, now(), now() + interval '1 day', now(), 1 FROM notice n`, list)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, -1, d.id, 'deferred', 1, now() + interval '10 minutes' FROM fanout f, destination d WHERE d.name = 'relay'`)
	post := w.post(list, testMessage)
	w.start(c)
	eventually(t, "it is closed", func() bool {
		return w.count(`SELECT count(*) FROM fanout WHERE post = $1 AND finished IS NOT NULL AND delivered = 3`, post) == 1
	})
}
