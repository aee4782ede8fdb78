package lists_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"muster/lists"
	"muster/migrations/testdb"
	"muster/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the services on a database of their own.
type site struct {
	*lists.Service
	t     testing.TB
	pool  *pgxpool.Pool
	wakes atomic.Int64
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, pool: testdb.New(t)}
	s.Service = lists.New(s.pool, lists.Config{
		Hostname: "mx.lists.example", Wake: func() { s.wakes.Add(1) },
	})
	return s
}

func addr(t testing.TB, text string) smtp.Address {
	t.Helper()
	a, err := smtp.ParseAddress(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

func box(t testing.TB, text string) smtp.Mailbox {
	t.Helper()
	m, err := smtp.ParseMailbox(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// list makes a list with owners and the given settings.
func (s *site) list(address string, settings map[string]string, owners ...string) lists.List {
	s.t.Helper()
	n := lists.NewList{Address: addr(s.t, address)}
	for _, o := range owners {
		n.Owners = append(n.Owners, addr(s.t, o))
	}
	l, err := s.CreateList(s.t.Context(), lists.CLI(), n)
	if err != nil {
		s.t.Fatalf("list %s: %v", address, err)
	}
	for key, value := range settings {
		if l, err = s.SetList(s.t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: key, Value: value}}); err != nil {
			s.t.Fatalf("list %s: %v", address, err)
		}
	}
	return l
}

func (s *site) add(l lists.List, mailboxes ...string) {
	s.t.Helper()
	for _, m := range mailboxes {
		if _, err := s.AddMember(s.t.Context(), lists.CLI(), l.ID, lists.NewMember{Mailbox: box(s.t, m)}); err != nil {
			s.t.Fatalf("member %s: %v", m, err)
		}
	}
}

// as is somebody signed in with a verified address.
func as(address string) lists.Actor {
	return lists.Actor{Person: 1, Keys: []string{strings.ToLower(address)}, Name: address, Client: "192.0.2.1"}
}

// notice is a mail that was queued.
type notice struct {
	Kind, Address, Language string
	Params                  map[string]any
}

// notices takes what was queued since it was last asked.
func (s *site) notices() []notice {
	s.t.Helper()
	rows, err := s.pool.Query(s.t.Context(), `WITH n AS (DELETE FROM notice RETURNING *)
		SELECT kind, address, language, params FROM n ORDER BY id`)
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[notice])
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// noticed fails unless exactly the named mails were queued, as "kind address", in any order.
func (s *site) noticed(want ...string) []notice {
	s.t.Helper()
	found := s.notices()
	left := map[string]int{}
	for _, n := range found {
		left[n.Kind+" "+n.Address]++
	}
	for _, w := range want {
		left[w]--
	}
	for _, n := range left {
		if n != 0 {
			s.t.Fatalf("queued %v, want %q", found, want)
		}
	}
	return found
}

// exec changes rows behind the services' back, as time would.
func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func one[T any](s *site, sql string, args ...any) T {
	s.t.Helper()
	var v T
	if err := s.pool.QueryRow(s.t.Context(), sql, args...).Scan(&v); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// audited is the last row of the audit trail.
func (s *site) audited() (actor, action string, params map[string]any) {
	s.t.Helper()
	var raw []byte
	row := s.pool.QueryRow(s.t.Context(), `SELECT actor, action, params FROM audit ORDER BY id DESC LIMIT 1`)
	if err := row.Scan(&actor, &action, &raw); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		s.t.Fatal(err)
	}
	return actor, action, params
}

// wantKind fails unless err is an *Error of the kind.
func wantKind(t testing.TB, err error, want lists.Kind) {
	t.Helper()
	if got := lists.KindOf(err); got != want || err == nil {
		t.Fatalf("error %v of kind %d, want kind %d", err, got, want)
	}
}
