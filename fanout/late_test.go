package fanout

import (
	"context"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists"
	"muster/templates"
)

// lateWorld has a node that sends since long ago, which nothing is late without.
func lateWorld(t *testing.T) (*world, *Engine) {
	w := newWorld(t)
	w.exec(`INSERT INTO node (started) VALUES (now() - interval '1 day')`)
	return w, New(w.pool, Config{})
}

// age makes a post one that was accepted hours ago.
func (w *world) age(post uuid.UUID, hours int) {
	w.t.Helper()
	w.exec(`UPDATE fanout SET accepted = now() - make_interval(hours => $2) WHERE post = $1`, post, hours)
}

// allLate tells what is late by lists, in short.
func allLate(t *testing.T, e *Engine) string {
	t.Helper()
	var words []string
	err := e.EachLate(t.Context(), 4*time.Hour, func(late lists.Late) error {
		word := fmt.Sprintf("list %d: %d in %d", late.List, late.Copies, len(late.Posts))
		for _, p := range late.Posts {
			if p.Aside {
				word += " (aside)"
			}
		}
		for _, p := range late.Places {
			word += fmt.Sprintf(", %d %q %q %q", p.Copies, p.Name, p.Host, p.Reply)
		}
		if len(late.Told) > 0 {
			word += fmt.Sprintf(", told %v", late.Told)
		}
		words = append(words, word)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(words, "; ")
}

func wantLate(t *testing.T, e *Engine, what, want string) {
	t.Helper()
	if got := allLate(t, e); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// deferCopies makes deferred copies of the first so many members of a post.
func (w *world) deferCopies(post uuid.UUID, n int, status, reply string) {
	w.t.Helper()
	w.exec(`WITH s AS (SELECT s.id, s.fanout, s.dest, m.members[1:$2] AS members FROM shard s JOIN shard_members m ON m.shard = s.id
			JOIN fanout f ON f.id = s.fanout WHERE f.post = $1 AND NOT s.retry ORDER BY s.id LIMIT 1),
		d AS (INSERT INTO delivery (fanout, member, dest, state, attempts, due, status, host, reply)
			SELECT s.fanout, m, s.dest, 'deferred', 1, now() + interval '1 hour', $3, 'mx.d0.example', $4 FROM s, unnest(s.members) m)
		UPDATE shard SET state = 'done', done = size, sent = size - $2 FROM s WHERE shard.id = s.id`, post, n, status, reply)
}

func TestLate(t *testing.T) {
	t.Parallel()
	w, e := lateWorld(t)
	dev, ops := w.list("dev", 1), w.list("ops", 1)
	w.members(dev, 20, 2)
	w.members(ops, 3, 1)
	old, young, other := w.post(dev, testMessage), w.post(dev, testMessage), w.post(ops, testMessage)
	w.plan(true)
	wantLate(t, e, "all is young", "")
	w.age(old, 5)
	wantLate(t, e, "an old one that was not tried", fmt.Sprintf(`list %d: 20 in 1, 20 "relay" "" ""`, dev))
	w.exec(`UPDATE destination SET failures = 3, reply = 'connection refused' WHERE name = 'relay'`)
	wantLate(t, e, "where nobody answers", fmt.Sprintf(`list %d: 20 in 1, 20 "relay" "" "connection refused"`, dev))
	w.age(young, 6)
	w.age(other, 5)
	w.deferCopies(old, 2, "4.3.0", "451 4.3.0 Later")
	w.deferCopies(other, 1, "4.2.2", "452 4.2.2 Mailbox full")
	both := fmt.Sprintf(`list %d: 22 in 2, 22 "relay" "mx.d0.example" "451 4.3.0 Later"`, dev)
	wantLate(t, e, "deferred, and a full mailbox, which is not told", both)
	w.exec(`UPDATE fanout SET error = 'no such header' WHERE post = $1`, other)
	wantLate(t, e, "set aside", both+fmt.Sprintf(`; list %d: 0 in 1 (aside)`, ops))
	w.exec(`UPDATE shard SET given_up = 'cli' FROM fanout f WHERE f.id = shard.fanout AND f.post = $1`, young)
	wantLate(t, e, "dropped", fmt.Sprintf(`list %d: 2 in 1, 2 "relay" "mx.d0.example" "451 4.3.0 Later"; list %d: 0 in 1 (aside)`, dev, ops))
	w.exec(`UPDATE fanout SET finished = now()`)
	wantLate(t, e, "finished", "")
}

// A node that has just started sends what waited for it; that is not late yet.
func TestNothingIsLateAtTheStart(t *testing.T) {
	t.Parallel()
	w, e := lateWorld(t)
	list := w.list("dev", 1)
	w.members(list, 3, 1)
	post := w.post(list, testMessage)
	w.plan(true)
	w.age(post, 24)
	w.exec(`UPDATE node SET dead = now()`)
	w.exec(`INSERT INTO node DEFAULT VALUES`)
	wantLate(t, e, "just started", "")
	w.exec(`UPDATE node SET started = now() - interval '20 minutes' WHERE dead IS NULL`)
	if allLate(t, e) == "" {
		t.Error("nothing is late after a while either")
	}
}

// What is held waits on purpose, and has its time again when it is released.
func TestHeldIsNotLate(t *testing.T) {
	t.Parallel()
	w, e := lateWorld(t)
	list := w.list("dev", 1)
	w.members(list, 3, 1)
	post := w.post(list, testMessage)
	w.plan(true)
	w.age(post, 24)
	late := allLate(t, e)
	if late == "" {
		t.Fatal("nothing is late")
	}
	for _, what := range []Selection{{}, {List: list}, {Post: post}, {Destination: destRelay}, {List: list, Destination: destRelay}} {
		hold(t, e, what)
		wantLate(t, e, fmt.Sprintf("held: %+v", what), "")
		release(t, e, what)
		wantLate(t, e, fmt.Sprintf("released: %+v", what), "")
		w.exec(`UPDATE audit SET at = now() - interval '5 hours'`)
		wantLate(t, e, fmt.Sprintf("released long ago: %+v", what), late)
	}
	other := Selection{List: w.list("ops", 1)}
	hold(t, e, other)
	release(t, e, other)
	wantLate(t, e, "another list's hold", late)
}

// Domains with few members share a destination; who reads a mail wants to know which.
func TestLateDomainsAreNamed(t *testing.T) {
	t.Parallel()
	w, e := lateWorld(t)
	list := w.list("dev", 1)
	w.members(list, 6, 3)
	post := w.post(list, testMessage)
	w.plan(false)
	w.age(post, 24)
	wantLate(t, e, "not tried", fmt.Sprintf(`list %d: 6 in 1, 6 "" "" ""`, list))
	w.deferCopies(post, 4, "4.4.1", "451 4.4.1 Nobody answers")
	said := `"mx.d0.example" "451 4.4.1 Nobody answers"`
	wantLate(t, e, "deferred", fmt.Sprintf(`list %d: 4 in 1, 2 "d0.example" %s, 2 "d1.example" %s`, list, said, said))
	own, err := e.pool.Exec(t.Context(), `UPDATE destination SET name = 'mx:d9.example' WHERE name = 'mixed'`)
	if err != nil || own.RowsAffected() != 1 {
		t.Fatal(err)
	}
	wantLate(t, e, "a destination of its own", fmt.Sprintf(`list %d: 4 in 1, 4 "d9.example" %s`, list, said))
}

// Who has not got the last notice yet is not sent another.
func TestLateTold(t *testing.T) {
	t.Parallel()
	w, e := lateWorld(t)
	list := w.list("dev", 1)
	w.members(list, 3, 1)
	w.age(w.post(list, testMessage), 0)
	w.plan(true)
	w.exec(`UPDATE fanout SET accepted = now() - interval '1 day'`)
	notice := func(address string) {
		w.exec(`INSERT INTO notice (id, list, kind, address) VALUES ($1, $2, $3, $4)`, uuid.Must(uuid.NewV7()), list, lists.NoticeLate, address)
	}
	notice("ann@a.example")
	w.exec(`INSERT INTO notice (id, list, kind, address) VALUES ($1, $2, 'held', 'mod@a.example')`, uuid.Must(uuid.NewV7()), list)
	w.plan(true)
	notice("ben@b.example")
	if late := allLate(t, e); !strings.HasSuffix(late, "told [ann@a.example ben@b.example]") && !strings.HasSuffix(late, "told [ben@b.example ann@a.example]") {
		t.Error(late)
	}
	w.exec(`UPDATE fanout SET finished = now() WHERE notice IS NOT NULL`)
	if late := allLate(t, e); !strings.HasSuffix(late, "told [ben@b.example]") {
		t.Error(late)
	}
}

// To ask what is late costs no look at what is not.
func TestLateReadsOnlyWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	post := w.post(list, testMessage)
	for range 19 {
		w.post(list, testMessage)
	}
	w.plan(true)
	w.exec(`UPDATE fanout SET finished = now() WHERE post <> $1`, post)
	w.exec(`INSERT INTO shard (fanout, dest, turn, size, done, state) SELECT f.id, d.id, g, 1, 1, 'done'
		FROM fanout f, destination d, generate_series(1, 500) g WHERE d.name = 'relay'`)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, g, d.id, CASE WHEN g % 500 = 0 THEN 'deferred' ELSE 'failed' END, 1, now()
		FROM fanout f, destination d, generate_series(1, 2000) g WHERE d.name = 'relay'`)
	w.exec(`ANALYZE delivery, shard, fanout`)
	var id int64
	w.row(`SELECT id FROM fanout WHERE post = $1`, post).into(&id)
	for _, one := range []struct {
		name, sql, index string
		args             []any
	}{
		{"lists", sqlLateLists, "", []any{time.Hour}},
		{"waits", sqlLateWaits, "delivery_deferred", []any{[]int64{id}, MaxCounted}},
		{"waits", sqlLateWaits, "shard_unfinished", []any{[]int64{id}, MaxCounted}},
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
		if strings.Contains(plan, "Seq Scan on delivery") || strings.Contains(plan, "Seq Scan on shard") || !strings.Contains(plan, one.index) {
			t.Errorf("%s:\n%s", one.name, plan)
		}
	}
}

// A server that has said no for hours, and the mail that tells an owner, as it arrives.
func TestOwnersAreToldOfWhatIsLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 3, 1)
	w.exec(`INSERT INTO role (list, key, address, role) VALUES ($1, 'ann@a.example', 'ann@a.example', 'owner')`, list)
	s := newSink(t)
	told := make(chan *letter, 1)
	s.rcpt = func(to string) string {
		if strings.HasSuffix(to, "@d0.example") {
			return "451 4.3.0 Come back later"
		}
		return ""
	}
	s.taken = func(l *letter) { told <- l }
	c := w.config(s.serve())
	c.Mail = templates.MailFrom
	e, _ := w.start(c)
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "three deferred copies", func() bool { return w.count(`SELECT count(*) FROM delivery`) == 3 })
	w.age(post, 5)
	w.exec(`UPDATE node SET started = started - interval '1 hour'`)
	service := lists.New(w.pool, lists.Config{Wake: e.Wake})
	for range 3 {
		err := e.EachLate(t.Context(), 4*time.Hour, func(late lists.Late) error {
			_, err := service.TellLate(t.Context(), late)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count(`SELECT count(*) FROM notice`); n != 1 {
		t.Errorf("%d notices", n)
	}
	l := <-told
	_, body, _ := strings.Cut(string(l.data), "\r\n\r\n")
	text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	if l.from != "" || len(l.to) != 1 || l.to[0] != "ann@a.example" {
		t.Errorf("from <%s> to %v", l.from, l.to)
	}
	for _, want := range []string{
		"3 copies of posts to dev@lists.example", ", 3 copies wait\r\n  https://lists.example/manage/lists/dev@lists.example/posts/" + post.String() + "\r\n",
		": 3 copies\r\n  " + s.addr() + ": 451 4.3.0 Come back later\r\n", "muster queue show --list dev@lists.example", "postmaster@lists.example",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
