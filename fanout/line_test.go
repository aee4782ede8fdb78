package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func (w *world) advance(lines ...line) int64 {
	w.t.Helper()
	n, err := advance(context.Background(), w.pool, lines)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// states tells the states of the shards of each post of a list, in order: "ready ready, queued queued".
func (w *world) states(list int64) string {
	w.t.Helper()
	var s string
	w.row(`SELECT COALESCE(string_agg(x.states, ', ' ORDER BY x.fanout), '') FROM (
		SELECT fanout, string_agg(state, ' ' ORDER BY s.id) AS states FROM shard s JOIN fanout f ON f.id = s.fanout
		WHERE f.list = $1 GROUP BY fanout) x`, list).into(&s)
	return s
}

func (w *world) relayLine(list int64) line {
	return line{list, int64(w.count(`SELECT id FROM destination WHERE name = 'relay'`))}
}

func (w *world) end(list int64, state string, oldest int) {
	w.t.Helper()
	w.exec(`UPDATE shard SET state = $2, done = CASE $2 WHEN 'done' THEN size ELSE 0 END WHERE fanout = (
		SELECT id FROM fanout WHERE list = $1 ORDER BY id OFFSET $3 LIMIT 1)`, list, state, oldest)
}

// The posts of a list stand in line for a destination; whatever ends the first attempts of one, the
// next is made ready.
func TestPostsStandInLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, other := w.list("dev", 1), w.list("other", 1)
	for _, l := range []int64{list, other} {
		w.members(l, 2*minShard, 1)
		for range 3 {
			w.post(l, testMessage)
		}
	}
	w.plan(true)
	here := w.relayLine(list)
	if got := w.states(list); got != "ready ready, queued queued, queued queued" {
		t.Fatal(got)
	}
	if n := w.advance(here); n != 0 {
		t.Errorf("%d shards overtake", n)
	}
	w.end(list, shardDone, 0)
	w.exec(`UPDATE destination SET turn = 5000`)
	if n := w.advance(here, here); n != 2 {
		t.Errorf("%d shards are next", n)
	}
	if got := w.states(list); got != "done done, ready ready, queued queued" {
		t.Error(got)
	}
	if n := w.count(`SELECT count(*) FROM shard s JOIN fanout_share x USING (fanout, dest) WHERE s.list = $1 AND s.state = 'ready'
		AND s.turn IN (5004, 5008) AND x.start + x.shards * x.step = 5012`, list); n != 2 {
		t.Errorf("%d shards are level with what is sent now, and those after them", n)
	}
	for state, then := range map[string]string{
		"aside": "done done, aside aside, ready ready",
		"held":  "done done, held held, ready ready",
		"done":  "done done, done done, ready ready",
	} {
		w.end(list, state, 1)
		w.end(list, "queued", 2)
		w.exec(`INSERT INTO hold (post, actor) SELECT post, 'ann' FROM fanout WHERE list = $1 ORDER BY id OFFSET 1 LIMIT 1 ON CONFLICT DO NOTHING`, list)
		w.sweeper().sweep(t.Context())
		if got := w.states(list); got != then {
			t.Errorf("%s: %s", state, got)
		}
	}
	if got := w.states(other); got != "ready ready, queued queued, queued queued" {
		t.Error(got)
	}
}

// A post that is planned when those before it are through need not wait for the sweep, whichever was
// committed first.
func TestNextWhenPlannedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 2*minShard, 1)
	w.post(list, testMessage)
	w.plan(true)
	w.post(list, testMessage)
	p := &planner{pool: w.pool, log: New(w.pool, Config{}).log, relays: newRelayGroups([]Relay{{}}), made: func() {}}
	if n, err := p.begin(t.Context(), beginBatch); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := w.states(list); got != "ready ready, queued queued" {
		t.Fatal(got)
	}
	w.end(list, shardDone, 0) // by somebody who looked for the next before there was one
	made := &newShards{queued: []line{w.relayLine(list)}}
	if err := p.use(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	if got := w.states(list); got != "done done, ready ready" {
		t.Error(got)
	}
	w.post(list, testMessage)
	w.end(list, shardDone, 1)
	if n, err := p.begin(t.Context(), beginBatch); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := w.states(list); got != "done done, done done, ready ready" {
		t.Error(got)
	}
}

// Posts that were held together are sent in their order.
func TestReleasedInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 2*minShard, 1)
	for range 3 {
		w.post(list, testMessage)
	}
	w.plan(true)
	w.exec(`UPDATE shard SET state = 'held'`)
	if _, err := unpark(t.Context(), w.pool); err != nil {
		t.Fatal(err)
	}
	if got := w.states(list); got != "ready ready, queued queued, queued queued" {
		t.Error(got)
	}
}

// Each line is looked at by some sweep, however many there are.
func TestSweepsLookAtEachLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		list := w.list(fmt.Sprint("dev", i), 1)
		w.members(list, 10, 1)
		w.post(list, testMessage)
		w.post(list, testMessage)
	}
	w.plan(true)
	var seen []line
	for after := (line{}); ; {
		page, err := selectLines(t.Context(), w.pool, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, page...)
		if len(page) < 2 {
			break
		}
		after = page[1]
	}
	if slices.SortFunc(seen, func(a, b line) int { return int(a.list - b.list) }); len(slices.Compact(seen)) != 5 {
		t.Errorf("%v", seen)
	}
}

// A list with many posts that wait costs those who begin the next of them, or of another list, nothing.
func TestBeginningPastManyThatWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, other := w.list("dev", 1), w.list("other", 1)
	w.members(list, 2*firstStep, 3)
	w.members(other, 10, 1)
	w.post(list, testMessage)
	w.exec(`INSERT INTO post (id, ref, list, kind, state, accepted, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
		SELECT gen_random_uuid(), 'r' || g, $1, 'post', 'accepted', now() + g * interval '1 ms', '', '', '', '', 1, '', false, false, 1
		FROM generate_series(1, 3000) g`, list)
	w.exec(`ANALYZE post`)
	last := w.post(other, testMessage)
	w.exec(`UPDATE post SET accepted = now() + interval '1 hour' WHERE id = $1`, last)
	for _, planning := range []bool{false, true} {
		pages, plan := w.pages(sqlUnplanned, beginBatch, waitingPage)
		// With the first being planned those behind it are passed over, a row each and no question.
		if limit := map[bool]int{false: 400, true: 4000}[planning]; pages > limit || strings.Contains(plan, "Seq Scan on post") {
			t.Errorf("being planned: %t: %d pages\n%s", planning, pages, plan)
		}
		p := &planner{pool: w.pool, log: New(w.pool, Config{}).log, relays: newRelayGroups([]Relay{{}}), made: func() {}}
		if n, err := p.begin(t.Context(), beginBatch); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if n := w.count(`SELECT count(*) FROM fanout WHERE post = $1`, last); n != 1 {
		t.Error("the other list waits")
	}
}

// What is claimed and what is next costs the same however many shards wait behind, and whatever
// PostgreSQL thinks of the table: statistics may be from when it was empty, or nearly all were done.
func TestQueueOfAListCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 10, 1)
	const posts, shards = 300, 20
	for range posts {
		w.post(list, testMessage)
	}
	w.exec(`INSERT INTO fanout (post, list, verp, ordered, accepted, expires, lists, planned)
		SELECT id, list, false, true, now(), now() + interval '5 days', ARRAY[list], now() FROM post ORDER BY id`)
	w.exec(`ANALYZE`)
	here := w.relayLine(list)
	w.exec(`INSERT INTO shard (fanout, dest, list, turn, size, state)
		SELECT f.id, $1, f.list, t, 100, CASE WHEN f.n < $3 / 2 THEN 'done' WHEN f.n = $3 / 2 THEN 'ready' ELSE 'queued' END
		FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM fanout) f, generate_series(1, $2::int) t`, here.dest, shards, posts)
	node := w.node()
	cost := func(what string) {
		for name, one := range map[string]struct {
			sql  string
			args []any
		}{
			"claim":   {sqlClaim, []any{node, here.dest, shards, 1 << 40}},
			"advance": {sqlAdvance, []any{[]int64{list}, []int64{here.dest}}},
			"lines":   {sqlLines, []any{0, 0, advancePage}},
		} {
			pages, plan := w.pages(one.sql, one.args...)
			if pages > 60*shards || strings.Contains(plan, "Seq Scan on shard") {
				t.Errorf("%s, %s: %d pages\n%s", what, name, pages, plan)
			}
		}
	}
	cost("statistics of an empty table")
	w.exec(`ANALYZE shard`)
	cost("fresh statistics")
	w.end(list, shardDone, posts/2-1)
	cost("the next is queued")
	w.exec(`UPDATE shard SET state = 'done'`)
	w.exec(`VACUUM ANALYZE shard`)
	w.exec(`UPDATE shard SET state = 'queued' WHERE fanout > (SELECT id FROM fanout ORDER BY id OFFSET $1 LIMIT 1)`, posts/2)
	cost("statistics of a table that is done")
}
