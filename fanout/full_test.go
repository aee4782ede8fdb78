package fanout

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// More waits than may: Full says so, and no more when it is less.
func TestFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 300, 2)
	e := New(w.pool, Config{MaxBacklog: 299})
	full := func(want bool) {
		t.Helper()
		if is, err := e.CheckFull(t.Context()); err != nil || is != want || e.Full() != want {
			t.Errorf("full %t, %t, %v", is, e.Full(), err)
		}
	}
	full(false)
	w.post(list, testMessage)
	w.plan(true)
	full(true)
	w.exec(`UPDATE shard SET done = 1, sent = 1 WHERE id = (SELECT min(id) FROM shard)`)
	full(false)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT s.fanout, sm.members[1], s.dest, 'deferred', 1, now() FROM shard s JOIN shard_members sm ON sm.shard = s.id ORDER BY s.id LIMIT 1`)
	full(true)
	if _, err := e.Drop(t.Context(), Selection{}, "cli"); err != nil {
		t.Fatal(err)
	}
	full(false)
	e.cfg.MaxBacklog = 0
	full(false)
	e.WatchBacklog(t.Context()) // which has nothing to do, and returns
}

// What a long queue holds is estimated from its first rows, and no more of it is read.
func TestEstimateOfALongQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(w.list("dev", 1), testMessage)
	w.plan(true)
	w.exec(`INSERT INTO shard (fanout, dest, turn, size, state)
		SELECT f.id, d.id, g, 100, CASE WHEN g % 10 = 0 THEN 'ready' ELSE 'done' END
		FROM fanout f, destination d, generate_series(1, 50000) g WHERE d.name = 'relay'`)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, g, d.id, CASE WHEN g % 10 = 0 THEN 'deferred' ELSE 'failed' END, 1, now()
		FROM fanout f, destination d, generate_series(1, 50000) g WHERE d.name = 'relay'`)
	w.exec(`ANALYZE shard, delivery`)
	const want = 5000*100 + 5000
	if got, err := estimateWaiting(t.Context(), w.pool, estimateRows); err != nil || got != want {
		t.Errorf("%d copies, %v", got, err)
	}
	if got, err := estimateWaiting(t.Context(), w.pool, 1000); err != nil || got < want*8/10 || got > want*12/10 {
		t.Errorf("about %d copies, not %d, %v", got, want, err)
	}
	rows, err := w.pool.Query(t.Context(), "EXPLAIN "+sqlEstimate, estimateRows)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if plan := strings.Join(lines, "\n"); strings.Contains(plan, "Seq Scan") {
		t.Error(plan)
	}
}
