package fanout

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations/testdb"
)

// world is a database with lists in it, for tests.
type world struct {
	t    testing.TB
	pool *pgxpool.Pool
	dom  int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, pool: testdb.New(t)}
	w.row(`INSERT INTO domain (name) VALUES ('lists.example') RETURNING id`).into(&w.dom)
	return w
}

type scanner struct {
	t    testing.TB
	scan func(...any) error
}

func (s scanner) into(dst ...any) {
	s.t.Helper()
	if err := s.scan(dst...); err != nil {
		s.t.Fatal(err)
	}
}

func (w *world) row(sql string, args ...any) scanner {
	return scanner{w.t, w.pool.QueryRow(context.Background(), sql, args...).Scan}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(sql string, args ...any) int {
	w.t.Helper()
	var n int
	w.row(sql, args...).into(&n)
	return n
}

func (w *world) list(local string, verp int) (id int64) {
	w.t.Helper()
	w.row(`INSERT INTO list (domain, local, name, verp) VALUES ($1, $2, 'The ' || $2, $3) RETURNING id`, w.dom, local, verp).into(&id)
	return id
}

// members adds n members m0000@dNN.example, spread over domains.
func (w *world) members(list int64, n, domains int) {
	w.t.Helper()
	w.exec(`INSERT INTO member (list, key, address, domain, joined)
		SELECT $1, a, a, split_part(a, '@', 2), now() - interval '1 hour'
		FROM (SELECT format('m%s@d%s.example', lpad(g::text, 6, '0'), g % $3) AS a FROM generate_series(0, $2 - 1) g) x`, list, n, domains)
	w.exec(`ANALYZE member`)
}

func (w *world) member(list int64, address string) (id int64) {
	w.t.Helper()
	_, domain, _ := strings.Cut(address, "@")
	w.row(`INSERT INTO member (list, key, address, domain, joined) VALUES ($1, lower($2), $2, $3, now() - interval '1 hour') RETURNING id`,
		list, address, domain).into(&id)
	return id
}

const testMessage = "From: Ann <ann@a.example>\r\nTo: dev@lists.example\r\nSubject: hello\r\nMessage-ID: <1@a.example>\r\n\r\nHello.\r\n.dot\r\nBye.\r\n"

func (w *world) post(list int64, raw string) uuid.UUID {
	w.t.Helper()
	return w.postIn(list, raw, 256<<10)
}

// postIn posts a message that is stored in pieces of some octets.
func (w *world) postIn(list int64, raw string, piece int) uuid.UUID {
	w.t.Helper()
	id := uuid.Must(uuid.NewV7())
	ctx := context.Background()
	tx, err := w.pool.Begin(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	header := strings.Index(raw, "\r\n\r\n") + 4
	_, err = tx.Exec(ctx, `INSERT INTO post (id, ref, list, kind, state, accepted, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
		VALUES ($1, $2, $3, 'post', 'accepted', now(), 'ann@a.example', 'ann@a.example', '<1@a.example>', 'hello', $4,
			'from a.example by lists.example; Mon, 1 Jan 2024 00:00:00 +0000', false, false, $5)`,
		id, id.String(), list, len(raw), header)
	n := 0
	for p := range slices.Chunk([]byte(raw), piece) {
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO post_raw (post, n, bytes) VALUES ($1, $2, $3)`, id, n, p)
		}
		n++
	}
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

type fakeSealer struct{}

func (fakeSealer) Bounce(list, member int64, day int) string {
	return fmt.Sprintf("b%dx%d", list, member)
}
func (fakeSealer) Leave(list, member int64) string { return fmt.Sprintf("l%dx%d", list, member) }

// config is one for tests: everything at a test's pace.
func (w *world) config(s *sink) Config {
	c := Config{
		Hostname: "lists.example",
		BaseURL:  "https://lists.example",
		Seals:    func(context.Context) (Sealer, error) { return fakeSealer{}, nil },
		Mail: func(_, kind, lang string, data any) (string, string, error) {
			return "Notice " + kind, fmt.Sprintf("To you in %s: %v\n", lang, data.(map[string]any)["ListAddress"]), nil
		},
		Log:  slog.New(slog.NewTextHandler(testWriter{w.t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
		pace: pace{poll: 50 * time.Millisecond, sweep: 50 * time.Millisecond, grace: 5 * time.Second, idle: 200 * time.Millisecond},
	}
	if s != nil {
		c.Relays = s.relay()
	}
	return c
}

// testWriter logs into a test.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// start runs an engine until the returned function is called or the test ends.
func (w *world) start(c Config) (*Engine, func()) {
	w.t.Helper()
	e := New(w.pool, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	stop := func() {
		cancel()
		<-done
	}
	w.t.Cleanup(stop)
	return e, stop
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}
