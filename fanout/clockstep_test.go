package fanout

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// newClockWorld is a world in which time can be stepped. All moments that outlive a statement are
// those of the database's clock: here now() is found where it can be told to be ahead.
func newClockWorld(t *testing.T) *world {
	t.Helper()
	w, _ := newCrashWorld(t)
	w.exec(`CREATE TABLE step (ahead interval NOT NULL)`)
	w.exec(`INSERT INTO step VALUES ('0')`)
	for _, name := range []string{"now", "clock_timestamp"} {
		w.exec(fmt.Sprintf(`CREATE FUNCTION public.%[1]s() RETURNS timestamptz LANGUAGE sql STABLE
			AS 'SELECT pg_catalog.%[1]s() + (SELECT ahead FROM public.step)'`, name))
	}
	w.exec(`DO $$
		DECLARE c record;
		BEGIN
			EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
			SET LOCAL search_path = public, pg_catalog;
			FOR c IN SELECT table_name, column_name, column_default FROM information_schema.columns
				WHERE table_schema = 'public' AND column_default IN ('now()', 'clock_timestamp()', 'pg_catalog.now()', 'pg_catalog.clock_timestamp()')
			LOOP
				EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET DEFAULT public.%s', c.table_name, c.column_name,
					replace(c.column_default, 'pg_catalog.', ''));
			END LOOP;
		END $$`)
	w.pool.Reset() // the path is that of sessions to come
	w.step(24 * time.Hour)
	if n := w.count(`SELECT round(EXTRACT(epoch FROM now() - pg_catalog.now()))::int`); n != 24*3600 {
		t.Fatalf("the clock is %d s ahead, want a day", n)
	}
	w.step(0)
	return w
}

// step puts the clock ahead of the right time.
func (w *world) step(ahead time.Duration) {
	w.t.Helper()
	w.exec(`UPDATE step SET ahead = $1::interval`, ahead)
}

// The clock was a year ahead while copies were deferred and a destination was blocked, and is put
// right: nobody waits for a year.
func TestClockPutBack(t *testing.T) {
	t.Parallel()
	const members = 30
	w := newClockWorld(t)
	list := w.list("dev", 1)
	w.step(365 * 24 * time.Hour)
	var right atomic.Bool
	s := newSink(t)
	s.rcpt = func(string) string {
		if right.Load() {
			return ""
		}
		return "450 4.2.0 later"
	}
	busy := newRude(t, 1<<30, func(c net.Conn, _ *bufio.Reader) { io.WriteString(c, "421 4.3.2 not now\r\n") })
	for i := range members {
		w.member(list, fmt.Sprintf("m%d@late.example", i))
		w.member(list, fmt.Sprintf("m%d@busy.example", i))
	}
	c := w.config(nil)
	c.pace.block = func(int) time.Duration { return 100 * time.Millisecond }
	c.pace.slot = 300 * time.Millisecond
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"late.example": addrs("192.0.2.1"), "busy.example": addrs("192.0.2.2")}}
	c.DialContext = by(map[string]*sink{"192.0.2.1": s.serve(), "192.0.2.2": busy.sink})
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "copies deferred and a destination blocked", func() bool {
		return w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND due > now()`) >= members &&
			w.count(`SELECT count(*) FROM destination WHERE blocked IS NOT NULL`) == 1
	})
	right.Store(true)
	busy.left.Store(0)
	w.step(0)
	w.finished()
	s.once(t, members)
	busy.once(t, members)
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
}

// The clock steps back and forth within four days while copies go out and are deferred: nobody lacks
// one, nobody gets two, nothing is too late, and no node is taken for dead.
func TestClockBackAndForth(t *testing.T) {
	t.Parallel()
	const members, posts, most = 200, 3, 4 * 24 * time.Hour
	w := newClockWorld(t)
	list := w.list("dev", 1)
	w.members(list, members, 3)
	s := newSink(t)
	var asked atomic.Int64
	s.rcpt = func(string) string {
		if asked.Add(1)%5 == 0 {
			return "450 4.2.0 later"
		}
		return ""
	}
	s.dot = func(*letter) string {
		time.Sleep(2 * time.Millisecond) // the pace of the other side, not a wait
		return ""
	}
	c := w.config(s.serve())
	quick(&c)
	e, _ := w.start(c)
	for range posts {
		w.post(list, testMessage)
	}
	e.Wake()
	for i := range 20 {
		enough := int64(i * members * posts / 25)
		eventually(t, "more copies", func() bool { return s.copies.Load() >= enough })
		w.step(time.Duration(i*7%20) * most / 20) // on by 34 hours, on again, back by 62
	}
	w.step(most)
	w.finished()
	if extra := s.tally(t, members, posts); extra != 0 {
		t.Errorf("%d copies too many", extra)
	}
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
	if n := w.count(`SELECT count(*) FROM node`); n != 1 {
		t.Errorf("%d nodes, one has lived all the time", n)
	}
}

// A fan-out's time has run out before its first attempt, because Muster was away for a week or the
// clock has stepped: it gets that attempt.
func TestFirstAttemptComesFirst(t *testing.T) {
	t.Parallel()
	const members = 40
	w := newClockWorld(t)
	list := w.list("dev", 1)
	w.members(list, members, 2)
	w.post(list, testMessage)
	w.plan(true)
	w.step(7 * 24 * time.Hour)
	s := newSink(t).serve()
	c := w.config(s)
	(&sweeper{pool: w.pool, log: c.Log, made: func() {}, plan: func() {}}).sweep(context.Background())
	w.start(c)
	w.finished()
	s.once(t, members)
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
}
