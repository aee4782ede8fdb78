package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// quick makes what is deferred or blocked come back at once.
func quick(c *Config) {
	c.pace.retry = func(int) time.Duration { return 100 * time.Millisecond }
	c.pace.soon = func() time.Duration { return 50 * time.Millisecond }
	c.pace.block = func(int) time.Duration { return 100 * time.Millisecond }
	c.pace.steady = 100 * time.Millisecond
	c.pace.disk = 50 * time.Millisecond
}

// once fails the test unless everybody of n members got exactly one copy.
func (s *sink) once(t *testing.T, n int) {
	t.Helper()
	got := s.got()
	if len(got) != n {
		t.Errorf("%d of %d members got a copy", len(got), n)
	}
	for to, copies := range got {
		if copies != 1 {
			t.Errorf("%s got %d copies", to, copies)
		}
	}
}

// finished waits until all fan-outs are through.
func (w *world) finished() {
	w.t.Helper()
	eventually(w.t, "everything finished", func() bool {
		return w.count(`SELECT (SELECT count(*) FROM fanout WHERE finished IS NULL)
			+ (SELECT count(*) FROM post WHERE planned IS NULL) + (SELECT count(*) FROM notice WHERE planned IS NULL)`) == 0
	})
}

// The dot gate: whenever a final dot arrives, at most one outcome a connection is not committed,
// and on one connection none.
func TestNoDotBeforeTheLastOutcomeIsCommitted(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 5} {
		t.Run(fmt.Sprint(connections), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 1)
			w.members(list, 300, 3)
			s := newSink(t)
			var mu sync.Mutex
			dots, broken := 0, 0
			s.dot = func(*letter) string {
				mu.Lock()
				defer mu.Unlock()
				dots++
				var saved int
				if err := w.pool.QueryRow(context.Background(), `SELECT COALESCE(sum(sent), 0) FROM shard`).Scan(&saved); err != nil {
					return ""
				}
				if dots-saved > connections {
					broken++
				}
				return ""
			}
			c := w.config(s.serve())
			c.Connections = connections
			e, _ := w.start(c)
			w.post(list, testMessage)
			e.Wake()
			w.finished()
			s.once(t, 300)
			if broken > 0 {
				t.Errorf("%d of %d dots came before their time", broken, dots)
			}
		})
	}
}

// D04: 451 for a third of the recipients: they come again, and hold up nobody.
func TestTemporaryRefusals(t *testing.T) {
	t.Parallel()
	for _, verp := range []int{0, 1} {
		t.Run(fmt.Sprintf("verp=%d", verp), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", verp)
			w.members(list, 500, 5)
			s := newSink(t)
			var refused sync.Map
			var deferrals atomic.Int64
			s.rcpt = func(to string) string {
				if _, again := refused.LoadOrStore(to, true); !again && rand.IntN(10) < 3 {
					deferrals.Add(1)
					return "451 4.2.1 later"
				}
				return ""
			}
			c := w.config(s.serve())
			quick(&c)
			e, stop := w.start(c)
			post := w.post(list, testMessage)
			e.Wake()
			w.finished()
			s.once(t, 500)
			p, err := e.Progress(context.Background(), post)
			if err != nil || p.Delivered != 500 || p.Deferred+p.Bounced+p.Waiting != 0 || !p.Finished {
				t.Errorf("%+v, %v", p, err)
			}
			if n := w.count(`SELECT count(*) FROM delivery`); n != 0 {
				t.Errorf("%d exceptions left", n)
			}
			stop()
			if got := e.Copies(); got != (Copies{Delivered: 500, Deferred: deferrals.Load()}) {
				t.Errorf("counted %+v, want %d deferred", got, deferrals.Load())
			}
		})
	}
}

// Who does not exist bounces, once, and the others get their copy.
func TestPermanentRefusals(t *testing.T) {
	t.Parallel()
	for _, verp := range []int{0, 1} {
		t.Run(fmt.Sprintf("verp=%d", verp), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", verp)
			w.members(list, 200, 2)
			s := newSink(t)
			s.rcpt = func(to string) string {
				if strings.HasPrefix(to, "m00000") {
					return "550 5.1.1 no such user"
				}
				return ""
			}
			e, stop := w.start(w.config(s.serve()))
			post := w.post(list, testMessage)
			e.Wake()
			w.finished()
			s.once(t, 190)
			p, err := e.Progress(context.Background(), post)
			if err != nil || p.Delivered != 190 || p.Bounced != 10 {
				t.Errorf("%+v, %v", p, err)
			}
			if len(p.Replies) != 2 || p.Replies[1].Text != "550 5.1.1 no such user" || p.Replies[1].Copies != 10 || p.Replies[0].Copies != 190 {
				t.Errorf("replies %+v", p.Replies)
			}
			if n := w.count(`SELECT count(*) FROM bounce WHERE source = 'smtp' AND hard AND status = '5.1.1' AND list = $1`, list); n != 10 {
				t.Errorf("%d bounces", n)
			}
			found, err := e.Trace(context.Background(), post, "m000003@d1.example")
			if err != nil || len(found) != 1 || found[0].Reply != "550 5.1.1 no such user" || found[0].Host != s.addr() {
				t.Errorf("trace %+v, %v", found, err)
			}
			found, err = e.Trace(context.Background(), post, "m000123@d1.example")
			if err != nil || len(found) != 1 || found[0].Reply != "250 2.0.0 queued" {
				t.Errorf("trace %+v, %v", found, err)
			}
			stop()
			if got := e.Copies(); got != (Copies{Delivered: 190, Bounced: 10}) {
				t.Errorf("counted %+v", got)
			}
		})
	}
}

// D05: the connection ends after the text, before the reply: the copies come again. 250 that is
// lost makes a second copy of the transaction in flight, and of nothing else.
func TestConnectionLostAfterTheDot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 200, 2)
	s := newSink(t)
	var n atomic.Int64
	s.dot = func(*letter) string {
		switch n.Add(1) {
		case 30, 60, 61:
			return "drop"
		case 90:
			return "taken drop"
		}
		return ""
	}
	c := w.config(s.serve())
	quick(&c)
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	got := s.got()
	extra := 0
	for _, copies := range got {
		extra += copies - 1
	}
	if len(got) != 200 || extra != 1 {
		t.Errorf("%d members got a copy, %d one too many", len(got), extra)
	}
}

func TestConnectionLostAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 900, 2)
	s := newSink(t)
	drop := func(percent int) func(string) string {
		return func(string) string {
			if rand.IntN(100) < percent {
				return "drop"
			}
			return ""
		}
	}
	s.mail, s.rcpt, s.data = drop(5), drop(1), drop(5)
	c := w.config(s.serve())
	quick(&c)
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	s.once(t, 900)
}

// A server that takes a few recipients at a time gets a few at a time, without a deferral.
func TestTooManyRecipients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, 250, 2)
	s := newSink(t)
	var mu sync.Mutex
	most := 0
	s.taken = func(l *letter) {
		mu.Lock()
		most = max(most, len(l.to))
		mu.Unlock()
	}
	inTransaction := map[string]int{}
	s.mail = func(string) string {
		mu.Lock()
		clear(inTransaction)
		mu.Unlock()
		return ""
	}
	s.rcpt = func(string) string {
		mu.Lock()
		defer mu.Unlock()
		if inTransaction["n"]++; inTransaction["n"] > 7 {
			return "452 4.5.3 too many recipients"
		}
		return ""
	}
	c := w.config(s.serve())
	c.Connections = 1
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	s.once(t, 250)
	if most != 7 {
		t.Errorf("up to %d recipients in a transaction", most)
	}
}

// A server with fewer connections than we would like gets as many as it takes.
func TestServerLimitsConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 600, 2)
	s := newSink(t)
	var refused atomic.Int64
	l := &limitedListener{Listener: s.listener, limit: 3, refused: &refused}
	s.listener = l
	c := w.config(s.serve())
	quick(&c)
	c.pace.steady = time.Minute
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	w.finished()
	s.once(t, 600)
	if n := refused.Load(); n > 20 {
		t.Errorf("%d connections too many were tried", n)
	}
}

type limitedListener struct {
	net.Listener
	limit   int64
	open    atomic.Int64
	refused *atomic.Int64
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.limit {
			return &countedConn{Conn: c, l: l}, nil
		}
		l.open.Add(-1)
		l.refused.Add(1)
		_, _ = c.Write([]byte("421 4.7.0 too many connections\r\n"))
		_ = c.Close()
	}
}

type countedConn struct {
	net.Conn
	l    *limitedListener
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.l.open.Add(-1) })
	return c.Conn.Close()
}

// A message that cannot be composed is set aside with its error and delays nobody.
func TestPoisonIsSetAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 60, 2)
	s := newSink(t).serve()
	c := w.config(s)
	c.Mail = func(_, kind, lang string, data any) (string, string, error) {
		switch kind {
		case "panics":
			panic("template")
		case "fails":
			return "", "", errors.New("no such mail")
		}
		return "Hello", "text\n", nil
	}
	e, _ := w.start(c)
	for _, kind := range []string{"panics", "fails", "welcome"} {
		w.exec(`INSERT INTO notice (id, list, kind, address) VALUES (gen_random_uuid(), $1, $2, 'ben@b.example')`, list, kind)
	}
	poison := w.post(list, testMessage)
	w.exec(`UPDATE post SET header_len = size + 1 WHERE id = $1`, poison)
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "the good ones", func() bool { return s.copies.Load() == 61 })
	status, err := e.Status(context.Background())
	if err != nil || status.Aside != 3 {
		t.Errorf("%+v, %v", status, err)
	}
	p, err := e.Progress(context.Background(), poison)
	if err != nil || !strings.Contains(p.Error, "header of") || p.Delivered != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNoticesGoOutWithANullSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	s := newSink(t)
	s.rcpt = func(to string) string {
		if to == "gone@b.example" {
			return "550 5.1.1 gone"
		}
		return ""
	}
	e, _ := w.start(w.config(s.serve()))
	w.notice(&list, "Ben@b.example")
	w.notice(nil, "ann@a.example")
	w.notice(&list, "gone@b.example")
	e.Wake()
	w.finished()
	s.once(t, 2)
	for _, l := range s.all() {
		if l.from != "" || !bytes.Contains(l.data, []byte("Auto-Submitted: auto-")) {
			t.Errorf("from %q: %s", l.from, l.data)
		}
	}
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces of a notice", n)
	}
}

// TestNoticesAreForgotten has what a notice said, which may sign somebody in, kept for as long as it
// may have to be sent again, and the notice for as long as fan-outs are.
func TestNoticesAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	s := newSink(t)
	var full atomic.Bool
	full.Store(true)
	s.rcpt = func(string) string {
		if full.Load() {
			return "452 4.2.2 full"
		}
		return ""
	}
	c := w.config(s.serve())
	quick(&c)
	c.Mail = func(_, _, _ string, data any) (string, string, error) {
		return "Hello", fmt.Sprintln("Token", data.(map[string]any)["Token"]), nil
	}
	e, stop := w.start(c)
	w.exec(`INSERT INTO notice (id, list, kind, address, params) VALUES (gen_random_uuid(), $1, 'welcome', 'ben@b.example', '{"Token": "t0"}')`, list)
	post := w.post(list, testMessage)
	e.Wake()
	eventually(t, "deferred more than once", func() bool {
		return w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND attempts > 1`) == 1
	})
	stop() // so that the message is made anew
	if n := w.count(`SELECT count(*) FROM notice WHERE params->>'Token' = 't0'`); n != 1 {
		t.Fatal("forgotten before it was sent")
	}
	full.Store(false)
	e, _ = w.start(c)
	w.finished()
	if all := s.all(); len(all) != 1 || !bytes.Contains(all[0].data, []byte("Token t0")) {
		t.Fatalf("sent %v", all)
	}
	if n := w.count(`SELECT count(*) FROM notice WHERE params <> '{}'`); n != 0 {
		t.Error("kept after it was sent")
	}
	ctx := context.Background()
	if n, err := e.Prune(ctx, time.Now().Add(-time.Hour)); n != 0 || err != nil || w.count(`SELECT count(*) FROM notice`) != 1 {
		t.Errorf("pruned %d too early, %v", n, err)
	}
	w.exec(`INSERT INTO notice (id, kind, address, planned) VALUES (gen_random_uuid(), 'welcome', 'open@b.example', now())`) // never sent
	for {
		n, err := e.Prune(ctx, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if n := w.count(`SELECT count(*) FROM notice`); n != 1 || w.count(`SELECT count(*) FROM fanout WHERE notice IS NOT NULL`) != 0 || w.count(`SELECT count(*) FROM delivery`) != 0 {
		t.Errorf("%d notices left", n)
	}
	if p, err := e.Progress(ctx, post); err != nil || !p.Finished {
		t.Errorf("the post is gone: %+v, %v", p, err)
	}
}

// Members who leave while the fan-out runs are asked for again.
func TestWhoLeavesMeanwhileGetsNoCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 300, 1)
	s := newSink(t)
	var once sync.Once
	s.taken = func(*letter) {
		once.Do(func() {
			if _, err := w.pool.Exec(context.Background(), `UPDATE member SET left_at = now() WHERE id IN (
				SELECT u.id FROM shard s JOIN shard_members m ON m.shard = s.id CROSS JOIN LATERAL unnest(m.members) WITH ORDINALITY AS u(id, n)
				WHERE u.n > 150)`); err != nil {
				t.Error(err)
			}
		})
	}
	c := w.config(s.serve())
	c.Connections = 1
	// One shard of 300, so that it is the check along the way that finds them.
	p := &planner{pool: w.pool, log: c.Log, relays: newRelayGroups([]Relay{{}}), made: func() {}}
	post := w.post(list, testMessage)
	for p.round(context.Background()) {
	}
	w.exec(`WITH one AS (SELECT min(id) AS id FROM shard),
		merged AS (UPDATE shard_members SET members = (SELECT array_agg(u ORDER BY m.shard, n) FROM shard_members m, unnest(m.members) WITH ORDINALITY AS x(u, n)) WHERE shard = (SELECT id FROM one)),
		sized AS (UPDATE shard SET size = 300 WHERE id = (SELECT id FROM one))
		DELETE FROM shard WHERE id <> (SELECT id FROM one)`)
	e, stop := w.start(c)
	w.finished()
	s.once(t, 150)
	if p, err := e.Progress(context.Background(), post); err != nil || p.Delivered != 150 || p.Dropped != 150 {
		t.Errorf("%+v, %v", p, err)
	}
	stop()
	if got := e.Copies(); got != (Copies{Delivered: 150, Dropped: 150}) {
		t.Errorf("counted %+v", got)
	}
}
