package fanout

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations/testdb"
)

// A node of its own that can be killed and stopped: this test binary, started again with these in
// its environment.
const (
	childDatabase = "FANOUT_TEST_DATABASE"
	childRelay    = "FANOUT_TEST_RELAY"
	childIdentity = "FANOUT_TEST_IDENTITY"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childDatabase); url != "" {
		os.Exit(runChild(url))
	}
	os.Exit(m.Run())
}

// runChild is a node until SIGTERM.
func runChild(url string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer pool.Close()
	relay, err := ParseRelay(os.Getenv(childRelay))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	e := New(pool, Config{
		Hostname: "lists.example", BaseURL: "https://lists.example", Relays: []Relay{*relay}, Identity: os.Getenv(childIdentity), Connections: 6,
		Seals: func(context.Context) (Sealer, error) { return fakeSealer{}, nil },
		Mail:  func(string, string, string, any) (string, string, error) { return "s", "t", nil },
		Log:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
		pace:  pace{sweep: 200 * time.Millisecond, poll: 200 * time.Millisecond},
	})
	if err := e.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is a node in a process of its own.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	log bytes.Buffer
}

func startChild(t *testing.T, url string, s *sink, identity string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childDatabase+"="+url, childRelay+"=smtp://"+s.addr(), childIdentity+"="+identity)
	c.cmd.Stderr = &c.log
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("node %d said:\n%s", c.cmd.Process.Pid, c.log.String())
		}
	})
	return c
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) wait() { _ = c.cmd.Wait() }

// newCrashWorld is a world whose database a child can open too.
func newCrashWorld(t *testing.T) (*world, string) {
	t.Helper()
	url := testdb.URL(t)
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w := &world{t: t, pool: pool}
	w.row(`INSERT INTO domain (name) VALUES ('lists.example') RETURNING id`).into(&w.dom)
	return w, url
}

// slowSink takes a moment for each message, so that there is a middle to be killed in.
func slowSink(t *testing.T, d time.Duration) *sink {
	s := newSink(t)
	s.dot = func(*letter) string {
		time.Sleep(d)
		return ""
	}
	return s.serve()
}

// tally checks that all of n members of each post got a copy, and returns how many copies were too
// many. Copies of the same post are the same octets.
func (s *sink) tally(t *testing.T, members, posts int) (extra int) {
	t.Helper()
	got := s.got()
	if len(got) != members {
		t.Errorf("%d of %d members got copies", len(got), members)
	}
	for to, n := range got {
		if n < posts {
			t.Errorf("%s got %d of %d copies", to, n, posts)
		}
		extra += n - posts
	}
	same := map[string][]byte{}
	for _, l := range s.all() {
		key := strings.Join(l.to, " ") + subjectOf(l.data)
		if first, ok := same[key]; ok && !bytes.Equal(first, l.data) {
			t.Errorf("two copies to %s differ:\n%s\n%s", l.to, first, l.data)
		}
		same[key] = l.data
	}
	return extra
}

func subjectOf(data []byte) string {
	_, rest, _ := strings.Cut(string(data), "\r\nSubject: ")
	subject, _, _ := strings.Cut(rest, "\r\n")
	return subject
}

// D01, D02: kill -9 of the only node, again and again: nobody is left out, and only what was in
// flight comes twice. Each start of the same data directory goes on within five seconds.
func TestKillOnlyNode(t *testing.T) {
	t.Parallel()
	const connections, posts, members = 6, 4, 300
	for _, verp := range []int{0, 1} {
		t.Run(fmt.Sprintf("verp=%d", verp), func(t *testing.T) {
			t.Parallel()
			w, url := newCrashWorld(t)
			list := w.list("dev", verp)
			w.members(list, members, 3)
			s := slowSink(t, 2*time.Millisecond)
			for i := range posts {
				w.post(list, strings.Replace(testMessage, "hello", fmt.Sprint("hello ", i), 1))
			}
			const kills = 4
			for range kills {
				before := s.copies.Load()
				started := time.Now()
				c := startChild(t, url, s, "the-only-one")
				eventually(t, "copies after a start", func() bool {
					return s.copies.Load() > before || s.copies.Load() >= posts*members
				})
				if took := time.Since(started); took > 5*time.Second {
					t.Errorf("%v after a start before anything went out", took)
				}
				time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
				c.signal(syscall.SIGKILL)
				c.wait()
			}
			startChild(t, url, s, "the-only-one")
			w.finished()
			extra := s.tally(t, members, posts)
			perTransaction := 1
			if verp == 0 {
				perTransaction = batchSize
			}
			if limit := kills * connections * perTransaction; extra > limit {
				t.Errorf("%d copies too many, at most %d were in flight", extra, limit)
			}
			t.Logf("%d copies too many", extra)
		})
	}
}

// D10: SIGTERM in the middle: it ends in time, and nobody gets a second copy.
func TestTermInTheMiddle(t *testing.T) {
	t.Parallel()
	const members = 400
	w, url := newCrashWorld(t)
	list := w.list("dev", 1)
	w.members(list, members, 3)
	s := slowSink(t, 5*time.Millisecond)
	w.post(list, testMessage)
	for range 5 {
		before := s.copies.Load()
		c := startChild(t, url, s, "")
		eventually(t, "copies", func() bool { return s.copies.Load() > before+20 || s.copies.Load() == members })
		started := time.Now()
		c.signal(syscall.SIGTERM)
		c.wait()
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
		if code := c.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit status %d", code)
		}
		if n := w.count(`SELECT count(*) FROM shard WHERE state = 'claimed'`); n != 0 {
			t.Errorf("%d shards not given back", n)
		}
	}
	startChild(t, url, s, "")
	w.finished()
	if extra := s.tally(t, members, 1); extra != 0 {
		t.Errorf("%d copies too many", extra)
	}
}

// Of two nodes one is killed, or stopped and later continued: the other has its shards within 15
// seconds, and what the stopped one does when it wakes up sends at most what was in flight.
func TestOneOfTwoNodes(t *testing.T) {
	t.Parallel()
	for _, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			const members = 1500
			w, url := newCrashWorld(t)
			list := w.list("dev", 1)
			w.members(list, members, 3)
			s := slowSink(t, 5*time.Millisecond)
			one := startChild(t, url, s, "one")
			startChild(t, url, s, "two")
			eventually(t, "two nodes", func() bool { return w.count(`SELECT count(*) FROM node WHERE dead IS NULL`) == 2 })
			w.post(list, testMessage)
			eventually(t, "both send", func() bool {
				return w.count(`SELECT count(DISTINCT node) FROM shard WHERE state = 'claimed' AND sent > 0`) == 2
			})
			one.signal(how)
			stopped := time.Now()
			eventually(t, "the other has taken over", func() bool {
				return w.count(`SELECT count(*) FROM shard s JOIN node n ON n.id = s.node WHERE s.state = 'claimed' AND n.dead IS NOT NULL`) == 0 &&
					w.count(`SELECT count(*) FROM node WHERE dead IS NULL`) == 1
			})
			if took := time.Since(stopped); took > 15*time.Second {
				t.Errorf("taking over took %v", took)
			}
			if how == syscall.SIGSTOP {
				one.signal(syscall.SIGCONT)
				// It finds itself dead and goes on under a new row.
				eventually(t, "the stopped node is back", func() bool { return w.count(`SELECT count(*) FROM node WHERE dead IS NULL`) == 2 })
			}
			w.finished()
			if extra := s.tally(t, members, 1); extra > 6 {
				t.Errorf("%d copies too many, at most 6 were in flight", extra)
			}
		})
	}
}

// The database hangs up on everybody, again and again: outcomes are kept and saved again.
func TestDatabaseHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 600, 3)
	s := slowSink(t, time.Millisecond)
	c := w.config(s)
	c.Connections = 4
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	for i := range 5 {
		eventually(t, "some copies", func() bool { return s.copies.Load() > int64(80*i) })
		_, err := w.pool.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Log(err)
		}
	}
	eventually(t, "everything finished", func() bool {
		var n int
		err := w.pool.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM fanout WHERE finished IS NULL) + (SELECT count(*) FROM post WHERE planned IS NULL)`).Scan(&n)
		return err == nil && n == 0
	})
	// The process did not die: what was in doubt at the database was known here.
	s.once(t, 600)
}

// D09: a database that takes no writes: no dot goes out beyond one a connection, and all goes on
// by itself.
func TestDatabaseReadOnly(t *testing.T) {
	t.Parallel()
	const connections = 3
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 300, 3)
	s := slowSink(t, time.Millisecond)
	c := w.config(s)
	c.Connections = connections
	e, _ := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "some copies", func() bool { return s.copies.Load() > 50 })
	tx, err := w.pool.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(context.Background(), `LOCK TABLE shard IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	saved := w.count(`SELECT sum(sent) FROM shard`)
	time.Sleep(500 * time.Millisecond)
	if out := int(s.copies.Load()); out > saved+connections {
		t.Errorf("%d copies out, %d saved, with %d connections", out, saved, connections)
	}
	if err := tx.Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.finished()
	s.once(t, 300)
}
