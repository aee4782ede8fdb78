package fanout

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// pages tells how many pages of tables and indexes a statement reads, and how. What it does is undone.
func (w *world) pages(sql string, args ...any) (n int, plan string) {
	w.t.Helper()
	ctx := context.Background()
	tx, err := w.pool.Begin(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	rows, err := tx.Query(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	plan = strings.Join(lines, "\n")
	for _, part := range strings.Split(plan, "Buffers: shared hit=")[1:] {
		hit := 0
		if _, err := fmt.Sscan(strings.Fields(part)[0], &hit); err != nil {
			w.t.Fatal(err, plan)
		}
		n = max(n, hit) // the whole counts its parts, apart from those that write on the side
	}
	if n == 0 {
		w.t.Fatal(plan)
	}
	return n, plan
}

// What is asked again and again may not read every copy that ever failed.
func TestQueueReadsOnlyWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	post := w.post(list, testMessage)
	for range 19 {
		w.post(list, testMessage)
	}
	w.plan(true)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, g, d.id, CASE WHEN g % 500 = 0 THEN 'deferred' ELSE 'failed' END, 1, now()
		FROM fanout f, destination d, generate_series(1, 2000) g WHERE d.name = 'relay'`)
	w.exec(`ANALYZE delivery`)
	for _, one := range []struct {
		name, sql string
		args      []any
	}{{"destinations", sqlDestinations, []any{100, MaxCounted}}, {"status", sqlStatus, []any{MaxCounted}}, {"progress", sqlProgress, []any{post, MaxCounted}}} {
		rows, err := w.pool.Query(context.Background(), "EXPLAIN "+one.sql, one.args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Seq Scan on delivery") || !strings.Contains(plan, "delivery_deferred") {
			t.Errorf("%s:\n%s", one.name, plan)
		}
	}
}

// The last pieces of a journal are found, however many this post and later ones have.
func TestJournalsReadsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	w.post(list, testMessage)
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`INSERT INTO journal (fanout, shard, lines)
		SELECT s.fanout, s.id, 'x' FROM generate_series(1, 20000) g JOIN shard s ON
			s.fanout = CASE WHEN g < 10000 AND g % 2 = 0 THEN (SELECT min(fanout) FROM shard) ELSE (SELECT max(fanout) FROM shard) END`)
	w.exec(`ANALYZE journal`)
	for _, which := range []string{"min", "max"} {
		fanout := int64(w.count(`SELECT ` + which + `(fanout) FROM shard`))
		if pages, plan := w.pages(sqlJournals, fanout, maxJournals); pages > maxJournals+10 {
			t.Errorf("the %s fan-out: %d pages\n%s", which, pages, plan)
		}
		if pieces, err := selectJournals(t.Context(), w.pool, fanout, 3); err != nil || len(pieces) != 3 {
			t.Errorf("%d pieces, %v", len(pieces), err)
		}
	}
}

// A long queue is not counted to its end.
func TestStatusSaysThatThereIsMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	w.post(list, testMessage)
	w.plan(true)
	e := New(w.pool, Config{})
	for _, state := range []string{shardReady, shardClaimed} {
		w.exec(`UPDATE shard SET state = $1`, state)
		got, err := e.Status(t.Context())
		if err != nil || got.Ready+got.Claimed != 1 || got.Waiting != 1 || (got.Ready == 1) != (state == shardReady) {
			t.Errorf("a shard that is %s: %+v, %v", state, got, err)
		}
	}
	for _, rows := range []int{MaxCounted, MaxCounted + 50} {
		w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
			SELECT f.id, g, d.id, 'deferred', 1, now() FROM fanout f, destination d, generate_series(1, $1::int) g WHERE d.name = 'relay'
			ON CONFLICT DO NOTHING`, rows)
		got, err := e.Status(t.Context())
		if err != nil || got.Deferred != int64(min(rows, MaxCounted+1)) || got.More != (rows > MaxCounted) {
			t.Errorf("%d rows: %+v, %v", rows, got, err)
		}
	}
}

// The deferred copies of a post are not counted to their end, and the failed not at all.
func TestProgressSaysThatThereIsMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	post := w.post(list, testMessage)
	w.plan(true)
	const copies, settled, sent, dropped = 2 * MaxCounted, 2*MaxCounted - 20, 50, 7
	w.exec(`UPDATE fanout SET copies = $1`, copies)
	w.exec(`UPDATE shard SET state = 'claimed', size = $1, done = $2, sent = $3, dropped = $4`, copies, settled, sent, dropped)
	e := New(w.pool, Config{})
	for _, deferred := range []int64{MaxCounted, MaxCounted + 50} {
		w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due, host, reply)
			SELECT f.id, g, d.id, 'deferred', 1, now(), 'mx', '450 later' FROM fanout f, destination d, generate_series(1, $1::int) g
			WHERE d.name = 'relay' ON CONFLICT DO NOTHING`, deferred)
		got, err := e.Progress(t.Context(), post)
		if err != nil || got.Deferred != MaxCounted || got.More != (deferred > MaxCounted) {
			t.Fatalf("%d deferred: %+v, %v", deferred, got, err)
		}
		if got.Delivered != sent || got.Dropped != dropped || got.Waiting != copies-settled || got.Bounced != settled-sent-dropped-MaxCounted {
			t.Errorf("%d deferred: %+v", deferred, got)
		}
		if len(got.Replies) != 1 || got.Replies[0].Copies != MaxCounted {
			t.Errorf("%d deferred: replies %+v", deferred, got.Replies)
		}
	}
}

// A page of deferred copies costs the same wherever it begins, however many there are.
func TestPageOfDeferredCopiesCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	post := w.post(list, testMessage)
	w.post(list, testMessage)
	w.plan(true)
	w.exec(`ANALYZE`)
	const copies, page = 20_000, 100 // of each post
	last := w.count(`SELECT max(id) FROM fanout`)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, g, d.id, 'deferred', 1, now() + interval '1 hour' FROM fanout f, destination d, generate_series(1, $1::int) g WHERE d.name = 'relay'`, copies)
	w.exec(`INSERT INTO notice (id, list, kind, address, planned) SELECT gen_random_uuid(), $1, 'welcome', 'kim@c.example', now() FROM generate_series(1, 2000)`, list)
	w.exec(`INSERT INTO fanout (notice, list, verp, ordered, accepted, expires, planned)
		SELECT id, list, false, false, now(), now() + interval '5 days', now() FROM notice`)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, -1, d.id, 'deferred', 1, now() + interval '1 hour' FROM fanout f, destination d WHERE f.notice IS NOT NULL AND d.name = 'relay'`)
	cost := func(what string) {
		t.Helper()
		for _, part := range []Selection{{}, {List: list}, {Post: post}, {Destination: destRelay}} {
			for _, after := range []int64{0, copies / 2, copies} {
				for name, one := range map[string]struct {
					sql  string
					args []any
				}{
					"retry": {sqlMakeDue, []any{part.List, part.Destination, part.post(), page, last, after}},
					"drop":  {sqlLockDropped, []any{part.List, part.Destination, part.post(), page, last, after, time.Now().Add(time.Hour)}},
				} {
					if n, plan := w.pages(one.sql, one.args...); n > 30*page {
						t.Errorf("%s, %s of %+v after %d: %d pages\n%s", what, name, part, after, n, plan)
					}
				}
			}
		}
	}
	cost("statistics of an empty table")
	w.exec(`ANALYZE delivery`)
	cost("fresh statistics")
}

// All deferred copies are met, page by page.
func TestRetryAndDropOfManyDeferredCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	w.post(list, testMessage)
	w.notice(nil, "kim@c.example")
	w.plan(true)
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size`)
	const copies = dropDeferred + 100
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, CASE WHEN f.notice IS NULL THEN g ELSE -g END, d.id, 'deferred', 1, now() + interval '1 hour'
		FROM fanout f, destination d, generate_series(1, $1::int) g WHERE d.name IN ('relay', 'mixed') AND (g % 2 = 0) = (d.name = 'relay')`, copies)
	e := New(w.pool, Config{})
	if n, _, err := e.Retry(t.Context(), Selection{}); err != nil || n != 2*copies {
		t.Errorf("%d copies are due, %v", n, err)
	}
	if d, err := e.Drop(t.Context(), Selection{}, "cli"); err != nil || d != (Dropped{Copies: 2 * copies}) {
		t.Errorf("%+v, %v", d, err)
	}
}
