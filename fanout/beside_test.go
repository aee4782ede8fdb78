package fanout

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists"
	"muster/smtp"
)

// siblings makes lists, all but the first of which the first names, and where members are by list.
func (w *world) siblings(members map[string][]string, names ...string) *lists.Service {
	w.t.Helper()
	s := lists.New(w.pool, lists.Config{Hostname: "lists.example"})
	first, others := int64(0), []string{}
	for _, name := range names {
		id := w.list(name, 1)
		w.exec(`UPDATE list SET post_policy = 'anyone' WHERE id = $1`, id)
		for _, address := range members[name] {
			w.member(id, address)
		}
		if first == 0 {
			first = id
		} else {
			others = append(others, name+"@lists.example")
		}
	}
	if _, err := s.SetList(w.t.Context(), lists.CLI(), first, []lists.Change{{Key: "siblings", Value: strings.Join(others, ",")}}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// accept has a message accepted for lists in one transaction, and returns the posts it became.
func (w *world) accept(s *lists.Service, text string, to ...string) []uuid.UUID {
	w.t.Helper()
	env := lists.Envelope{From: smtp.Address{Local: "ann", Domain: "a.example"}}
	for _, local := range to {
		target, err := s.Resolve(w.t.Context(), smtp.Address{Local: local, Domain: "lists.example"})
		if err != nil {
			w.t.Fatal(err)
		}
		env.To = append(env.To, target)
	}
	outcomes, err := s.Accept(w.t.Context(), env, lists.Message{
		Size: int64(len(text)), HeaderLen: int64(strings.Index(text, "\r\n\r\n") + 4),
		Open: func() io.ReadCloser { return io.NopCloser(strings.NewReader(text)) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var posts []uuid.UUID
	for i, o := range outcomes {
		if o.Refusal != nil {
			w.t.Fatalf("%s: %v", to[i], o.Refusal)
		}
		posts = append(posts, o.Post)
	}
	return posts
}

// copies plans what waits, and returns for each address how often it is planned.
func (w *world) copies() map[string]int {
	n := map[string]int{}
	for _, address := range w.plan(true)["relay"] {
		n[address]++
	}
	return n
}

func wantCopies(t *testing.T, got map[string]int, want string) {
	t.Helper()
	var said []string
	for address, n := range got {
		said = append(said, fmt.Sprintf("%s=%d", address, n))
	}
	slices.Sort(said)
	if got := strings.Join(said, " "); got != want {
		t.Errorf("copies\n%s, want\n%s", got, want)
	}
}

func crossMembers() map[string][]string {
	return map[string][]string{
		"a": {"both@x.example", "onlya@x.example", "all@x.example"},
		"b": {"Both@x.example", "onlyb@x.example", "all@x.example"},
		"c": {"onlyc@x.example", "all@x.example"},
	}
}

func TestSiblingsOneCopyEach(t *testing.T) {
	t.Parallel()
	const want = "all@x.example=1 both@x.example=1 onlya@x.example=1 onlyb@x.example=1 onlyc@x.example=1"
	t.Run("one transaction", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.siblings(crossMembers(), "a", "b", "c")
		w.accept(s, testMessage, "c", "b", "a")
		wantCopies(t, w.copies(), want)
	})
	t.Run("three transactions", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.siblings(crossMembers(), "a", "b", "c")
		for _, to := range []string{"a", "b", "c"} {
			w.accept(s, testMessage, to)
		}
		wantCopies(t, w.copies(), want)
	})
	t.Run("the sibling that names nobody first", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.siblings(crossMembers(), "a", "b")
		for _, to := range []string{"b", "a"} {
			w.accept(s, testMessage, to)
		}
		wantCopies(t, w.copies(), "Both@x.example=1 all@x.example=1 onlya@x.example=1 onlyb@x.example=1")
	})
	t.Run("sent before the next comes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.siblings(crossMembers(), "a", "b")
		sink := newSink(t).serve()
		e, _ := w.start(w.config(sink))
		for i, to := range []string{"a", "b"} {
			w.accept(s, testMessage, to)
			e.Wake()
			eventually(t, to+" is sent", func() bool { return w.count(`SELECT count(*) FROM fanout WHERE finished IS NOT NULL`) == i+1 })
		}
		got := map[string]int{}
		sink.mu.Lock()
		defer sink.mu.Unlock()
		for _, l := range sink.letters {
			for _, address := range l.to {
				got[strings.ToLower(address)]++
			}
		}
		wantCopies(t, got, "all@x.example=1 both@x.example=1 onlya@x.example=1 onlyb@x.example=1")
	})
}

// Nobody is left out for the sake of a post that they do not get.
func TestSiblingsLeaveOutOnlyWhoIsServed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"stopped":   `UPDATE member SET state = 'user' WHERE list = $a AND key = 'both@x.example'`,
		"no mail":   `UPDATE member SET mode = 'none' WHERE list = $a AND key = 'both@x.example'`,
		"away":      `UPDATE member SET away_from = (now() AT TIME ZONE 'UTC')::date - 1, away_until = (now() AT TIME ZONE 'UTC')::date + 1 WHERE list = $a AND key = 'both@x.example'`,
		"digest":    `UPDATE member SET mode = 'digest' WHERE list = $a AND key = 'both@x.example'`,
		"left":      `UPDATE member SET left_at = now() WHERE list = $a AND key = 'both@x.example'`,
		"joined":    `UPDATE member SET joined = now() + interval '1 minute' WHERE list = $a AND key = 'both@x.example'`,
		"own post":  `UPDATE member SET own_posts = list <> $a, key = 'ann@a.example', address = 'both@x.example' WHERE key = 'both@x.example'`,
		"held":      `UPDATE post SET state = 'held', accepted = NULL WHERE list = $a`,
		"rejected":  `UPDATE post SET state = 'rejected', accepted = NULL WHERE list = $a`,
		"author":    `UPDATE post SET author = 'eve@a.example' WHERE list = $a`,
		"body":      `UPDATE seen SET body_hash = 'x' WHERE list = $a`,
		"another":   `UPDATE seen SET post = gen_random_uuid() WHERE list = $a`,
		"aside":     `INSERT INTO fanout (post, list, verp, ordered, accepted, expires, lists, planned, plan_list, error) SELECT id, list, true, true, accepted, accepted + interval '1 day', ARRAY[list], now(), 2, 'broken' FROM post WHERE list = $a`,
		"cancelled": `INSERT INTO fanout (post, list, verp, ordered, accepted, expires, lists, planned) SELECT id, list, true, true, accepted, accepted + interval '1 day', ARRAY[list], now() FROM post WHERE list = $a`,
		"dropped":   `INSERT INTO fanout (post, list, verp, ordered, accepted, expires, planned, finished) SELECT id, list, true, true, accepted, accepted, now(), now() FROM post WHERE list = $a`,
		"unrelated": `DELETE FROM sibling WHERE list = $a`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.siblings(map[string][]string{"a": {"both@x.example"}, "b": {"both@x.example"}}, "a", "b")
			w.accept(s, testMessage, "a")
			w.accept(s, testMessage, "b")
			a := w.count(`SELECT id FROM list WHERE local = 'a'`)
			w.exec(strings.ReplaceAll(change, "$a", fmt.Sprint(a)))
			w.exec(`UPDATE post SET planned = now() WHERE id IN (SELECT post FROM fanout)`)
			w.plan(true)
			if n := w.count(`SELECT copies FROM fanout f JOIN list l ON l.id = f.list WHERE l.local = 'b'`); n != 1 {
				t.Errorf("%d copies from b", n)
			}
		})
	}
}

// A shard that was dropped leaves its members to the siblings.
func TestSiblingsAfterADrop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(map[string][]string{"a": {"both@x.example"}, "b": {"both@x.example"}}, "a", "b")
	posts := w.accept(s, testMessage, "a")
	w.plan(true)
	e := New(w.pool, w.config(nil))
	if _, err := e.Drop(context.Background(), Selection{Post: posts[0]}, "root"); err != nil {
		t.Fatal(err)
	}
	w.accept(s, testMessage, "b")
	w.plan(true)
	if n := w.count(`SELECT copies FROM fanout f JOIN list l ON l.id = f.list WHERE l.local = 'b'`); n != 1 {
		t.Errorf("%d copies from b", n)
	}
}

// What was held at one sibling is the last in the order when it is released.
func TestSiblingsHeldAndReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(crossMembers(), "a", "b")
	w.exec(`UPDATE list SET post_policy = 'moderators' WHERE local = 'a'`)
	held := w.accept(s, testMessage, "a")
	w.accept(s, testMessage, "b")
	wantCopies(t, w.copies(), "Both@x.example=1 all@x.example=1 onlyb@x.example=1")
	if _, err := s.ReleasePost(t.Context(), lists.CLI(), held[0]); err != nil {
		t.Fatal(err)
	}
	wantCopies(t, w.copies(), "Both@x.example=1 all@x.example=1 onlya@x.example=1 onlyb@x.example=1")
}

// The posts of two transactions that overlapped: the one that is earlier in the order is seen later.
// Both get their copies; the other way round, with one of them seen, the order decides.
func TestSiblingsThatDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(crossMembers(), "a", "b")
	w.accept(s, testMessage, "b")
	w.plan(true)
	posts := w.accept(s, testMessage, "a")
	w.exec(`UPDATE post SET accepted = accepted - interval '1 hour' WHERE id = $1`, posts[0])
	got := w.copies()
	if got["both@x.example"]+got["Both@x.example"] != 2 || got["all@x.example"] != 2 || got["onlya@x.example"] != 1 || got["onlyb@x.example"] != 1 {
		t.Errorf("%v", got)
	}
}

// A sibling whose post waits behind another counts as one that is planned.
func TestSiblingsUnplanned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(crossMembers(), "a", "b")
	w.accept(s, strings.ReplaceAll(testMessage, "<1@", "<0@"), "a") // b's next has no other to wait for
	w.accept(s, testMessage, "a")
	w.accept(s, testMessage, "b")
	p := &planner{pool: w.pool, log: slog.New(slog.DiscardHandler), relays: newRelayGroups([]Relay{{}}), made: func() {}}
	if n, err := p.begin(t.Context(), beginBatch); n != 2 || err != nil { // the first of each list
		t.Fatal(n, err)
	}
	if n := w.count(`SELECT copies FROM fanout f JOIN list l ON l.id = f.list WHERE l.local = 'b'`); n != 1 {
		t.Errorf("%d copies from b", n)
	}
}

// Of a sibling with lists nested in it those count whom it reaches, by the word that is nearest.
func TestSiblingsNested(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(map[string][]string{
		"a":   {"quiet@x.example", "all@x.example"},
		"b":   {"deep@x.example", "quiet@x.example", "all@x.example", "gone@x.example"},
		"sub": {"deep@x.example", "quiet@x.example", "all@x.example", "gone@x.example", "onlysub@x.example"},
	}, "b", "a", "sub")
	a, sub := w.count(`SELECT id FROM list WHERE local = 'a'`), w.count(`SELECT id FROM list WHERE local = 'sub'`)
	w.exec(`UPDATE member SET nested = $2 WHERE id = $1`, w.member(int64(a), "sub@lists.example"), sub)
	w.exec(`UPDATE member SET mode = 'none' WHERE list = $1 AND key = 'quiet@x.example'`, a) // and so not from a's sub
	gone := w.member(int64(a), "gone@x.example")
	w.accept(s, testMessage, "a")
	w.exec(`UPDATE member SET left_at = now() WHERE id = $1`, gone) // what a's sub has is not for them: they were in a
	w.accept(s, testMessage, "b")
	w.accept(s, testMessage, "sub")
	wantCopies(t, w.copies(), "all@x.example=1 deep@x.example=1 gone@x.example=1 onlysub@x.example=2 quiet@x.example=1")
}

// TestSiblingsByIndex asks for no scan of posts, seen or members.
func TestSiblingsByIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.siblings(nil, "a", "b")
	var ids [2]int64
	for i, name := range []string{"a", "b"} {
		w.row(`SELECT id FROM list WHERE local = $1`, name).into(&ids[i])
		w.members(ids[i], 5000, 20)
	}
	w.exec(`INSERT INTO post (id, ref, list, kind, state, accepted, planned, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
		SELECT gen_random_uuid(), 'r' || g, $1, 'post', 'accepted', now(), now(), '', 'ann@a.example', '<x@a.example>', '', 1, '', false, false, 1 FROM generate_series(1, 5000) g`, ids[0])
	w.exec(`INSERT INTO seen (list, id_hash, body_hash, post, until) SELECT list, sha256(ref::bytea), '', id, now() FROM post`)
	w.exec(`ANALYZE post; ANALYZE seen; ANALYZE sibling; ANALYZE member`)
	posts := w.accept(s, testMessage, "a", "b")
	_, plan := w.pages(sqlSaveBeside, pgx.NamedArgs{
		"fanout": int64(0), "list": ids[1], "post": posts[1].String(), "hash": lists.PostIDHash("post", "<1@a.example>"),
		"author": "ann@a.example", "accepted": time.Now(),
	})
	for _, table := range []string{"post", "seen", "fanout", "member"} {
		if strings.Contains(plan, "Seq Scan on "+table) {
			t.Errorf("%s is read whole:\n%s", table, plan)
		}
	}
	if got := w.copies(); len(got) != 5000 {
		t.Errorf("%d addresses", len(got))
	}
	if n := w.count(`SELECT sum(copies) FROM fanout`); n != 5000 {
		t.Errorf("%d copies", n)
	}
}
