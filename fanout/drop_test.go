package fanout

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// A post dropped while it is being sent ends where it is: every copy is counted once, what was
// refused for now is not tried again, and nothing is held against anybody.
func TestDropOfAPostUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	const members = 4000
	w.members(list, members, 2)
	s := newSink(t)
	var busy atomic.Int64
	s.rcpt = func(string) string {
		if busy.Add(1)%10 == 0 {
			return "450 4.2.1 mailbox busy"
		}
		return ""
	}
	s.taken = func(*letter) { time.Sleep(2 * time.Millisecond) }
	s.serve()
	c := w.config(s)
	c.pace.retry = func(int) time.Duration { return time.Hour }
	c.Connections = 4
	e, _ := w.start(c)
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "some are sent, and some deferred", func() bool {
		return w.count(`SELECT count(*) FROM delivery`) > 20 && w.count(`SELECT count(*) FROM fanout WHERE planned IS NOT NULL`) == 1
	})
	before, err := e.Waiting(t.Context(), Selection{Post: post})
	if err != nil || before.Copies == 0 || before.Copies > members || before.Deferred < 20 || before.More {
		t.Errorf("%+v waits, %v", before, err)
	}
	d, err := e.Drop(t.Context(), Selection{Post: post}, "ann@a.example")
	if err != nil || d.Copies == 0 || d.Underway == 0 || d.Copies+d.Underway > members {
		t.Fatalf("%+v, %v", d, err)
	}
	w.finished()
	p, err := e.Progress(t.Context(), post)
	if err != nil || !p.Finished || p.Deferred+p.Waiting+p.Bounced != 0 || p.Delivered != s.copies.Load() ||
		p.Delivered+p.Dropped != members || !p.GivenUp || p.Dropped < 1000 {
		t.Errorf("%d copies taken, %+v, %v", s.copies.Load(), p, err)
	}
	s.once(t, int(p.Delivered))
	if n := w.count(`SELECT count(*) FROM delivery`) + w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d exceptions and bounces", n)
	}
	if n := w.count(`SELECT count(*) FROM audit WHERE actor = 'ann@a.example' AND action = 'queue.drop'
		AND params->>'post' = $1 AND (params->>'copies')::int = $2 AND (params->>'underway')::int = $3`, post.String(), d.Copies, d.Underway); n != 1 {
		t.Errorf("%d entries in the audit trail", n)
	}
	var last string // of a shard that was given up before anything of it was sent
	w.row(`SELECT m.key FROM shard s JOIN shard_members sm ON sm.shard = s.id JOIN member m ON m.id = sm.members[s.size]
		WHERE s.given_up <> '' AND s.sent = 0 LIMIT 1`).into(&last)
	attempts, err := e.Trace(t.Context(), post, last)
	if err != nil || len(attempts) == 0 || attempts[len(attempts)-1].Reply != "dropped by ann@a.example" {
		t.Errorf("the trace of %s is %+v, %v", last, attempts, err)
	}
}

// What the transaction under way at a drop puts off is given up with the rest, though it was the last of
// its shard; what it delivers is delivered.
func TestDropGivesUpWhatIsPutOffJustThen(t *testing.T) {
	t.Parallel()
	for _, retried := range []bool{false, true} {
		t.Run(fmt.Sprintf("retried=%t", retried), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 0)
			const members = 60
			w.members(list, members, 1)
			s := newSink(t)
			var full atomic.Bool
			full.Store(retried)
			s.rcpt = func(to string) string {
				if full.Load() || to < "m000030" {
					return "450 4.2.1 mailbox busy"
				}
				return ""
			}
			texts, dropped := make(chan struct{}, members), make(chan struct{})
			s.text = func() {
				texts <- struct{}{}
				<-dropped
			}
			c := w.config(s.serve())
			c.pace.retry = func(int) time.Duration { return time.Hour }
			e, _ := w.start(c)
			post := w.post(list, testMessage)
			e.Wake()
			if retried {
				eventually(t, "all deferred", func() bool { return w.count(`SELECT count(*) FROM delivery WHERE shard IS NULL`) == members })
				full.Store(false)
				if _, _, err := e.Retry(t.Context(), Selection{Post: post}); err != nil {
					t.Fatal(err)
				}
			}
			<-texts
			d, err := e.Drop(t.Context(), Selection{Post: post}, "ann@a.example")
			close(dropped)
			if err != nil || d != (Dropped{Underway: members}) {
				t.Errorf("%+v, %v", d, err)
			}
			w.finished()
			p, err := e.Progress(t.Context(), post)
			if err != nil || p.Delivered != 30 || p.Dropped != 30 || p.Deferred+p.Bounced+p.Waiting != 0 {
				t.Errorf("%+v, %v", p, err)
			}
			s.once(t, 30)
		})
	}
}

// What is dropped is what waits now: not begun, ready, held, put by, set aside and deferred.
func TestDropOfWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, other := w.list("dev", 1), w.list("other", 1)
	w.members(list, 300, 2)
	w.members(other, 10, 1)
	e := New(w.pool, Config{})
	begun := w.post(list, testMessage)
	w.post(other, testMessage)
	w.notice(nil, "kim@c.example")
	w.plan(true)
	w.exec(`UPDATE shard SET state = 'held' WHERE id = (SELECT min(id) FROM shard WHERE list = $1)`, list)
	w.exec(`UPDATE shard SET state = 'aside' WHERE id = (SELECT max(id) FROM shard WHERE list = $1)`, list)
	w.exec(`UPDATE shard SET state = 'done', done = size, sent = size - 2 WHERE id = (SELECT min(id) + 1 FROM shard WHERE list = $1)`, list)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due, status, reply)
		SELECT s.fanout, sm.members[n], s.dest, 'deferred', 1, now() + interval '1 hour', '4.2.1', '450 4.2.1 busy'
		FROM shard s JOIN shard_members sm ON sm.shard = s.id, generate_series(1, 2) n WHERE s.state = 'done'`)
	w.exec(`UPDATE fanout SET error = 'cannot be composed' WHERE post = $1`, begun)
	hold(t, e, Selection{Post: begun})
	var replies []string
	if err := e.EachQueued(t.Context(), Selection{List: list, Post: begun}, func(q Queued) (bool, error) {
		if q.State == "deferred" {
			replies = append(replies, q.Reply)
			if q.Address == "" || q.Due.IsZero() || q.Post != begun || q.Destination != destRelay || q.Attempts != 1 {
				t.Errorf("%+v", q)
			}
		}
		return len(replies) < 2, nil
	}); err != nil || len(replies) != 2 || replies[0] != "450 4.2.1 busy" {
		t.Errorf("%q, %v", replies, err)
	}
	waiting := w.post(list, testMessage)
	d, err := e.Drop(t.Context(), Selection{List: list}, "cli")
	if err != nil || d != (Dropped{Messages: 1, Copies: 277}) {
		t.Errorf("%+v, %v", d, err)
	}
	w.sweeper().sweep(t.Context())
	p, err := e.Progress(t.Context(), begun)
	if err != nil || !p.Finished || p.Dropped != 277 || p.Delivered != 23 || p.Error != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := e.Progress(t.Context(), waiting); err != nil || !p.Finished || p.Copies != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if n := w.count(`SELECT count(*) FROM hold`); n != 0 {
		t.Errorf("%d holds of what is through", n)
	}
	if s, err := e.Status(t.Context()); err != nil || s.Waiting != 11 || s.Aside != 0 {
		t.Errorf("of others %+v, %v", s, err)
	}
	d, err = e.Drop(t.Context(), Selection{Destination: destRelay}, "cli")
	if err != nil || d != (Dropped{Copies: 11}) {
		t.Errorf("%+v, %v", d, err)
	}
	w.post(other, testMessage)
	w.notice(nil, "kim@c.example")
	w.exec(`UPDATE notice SET params = '{"Token": "secret"}' WHERE planned IS NULL`)
	d, err = e.Drop(t.Context(), Selection{}, "cli")
	if err != nil || d != (Dropped{Messages: 2}) {
		t.Errorf("%+v, %v", d, err)
	}
	if n := w.count(`SELECT count(*) FROM notice WHERE params <> '{}'`); n != 0 {
		t.Errorf("%d notices are remembered", n)
	}
}
