package lists

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations/testdb"
	"muster/smtp"
)

// bigList fills a list with n members of made-up addresses, most of them of a few great domains as in
// life, and then another with a tenth of them, without going through the services.
func bigList(t testing.TB, pool *pgxpool.Pool, s *Service, n int) List {
	t.Helper()
	l, err := s.CreateList(t.Context(), CLI(), NewList{Address: smtp.Address{Local: "big", Domain: "a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.CreateList(t.Context(), CLI(), NewList{Address: smtp.Address{Local: "other", Domain: "a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	fillList(t, pool, l.ID, n)
	fillList(t, pool, other.ID, n/10)
	return l
}

func fillList(t testing.TB, pool *pgxpool.Pool, id int64, n int) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), `INSERT INTO member (list, key, address, domain)
		SELECT $1, a, a, split_part(a, '@', 2) FROM (
			SELECT 'u' || lpad(i::text, 7, '0') || '@' ||
				CASE WHEN i % 3 > 0 THEN 'great.example' ELSE 'd' || (i % 5000) || '.example' END AS a
			FROM generate_series(0, $2 - 1) i) x`, id, n); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `ANALYZE member`); err != nil {
		t.Fatal(err)
	}
}

// TestPagesWalkAnIndex holds the promise that a page of a great list costs what a page of a small
// one does: no statement scans the table, sorts, or reads more rows than it shows.
func TestPagesWalkAnIndex(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	s := New(pool, Config{})
	l := bigList(t, pool, s, 200_000)
	middle := "u0100000@great.example"
	for _, query := range []MemberQuery{
		{}, {After: middle}, {Before: middle}, {Search: "u01"}, {Search: "u01", After: middle}, {Search: "u01", Before: middle},
		{Search: "nobody"}, {Search: "@great.example"}, {Search: "@d42"}, {Search: "@d42", After: "u0000042@d42.example"},
		{Search: "@great", Before: middle}, {Search: "@nowhere"}, {Search: "u0000042@d42.example"},
	} {
		scan := newMemberScan(l.ID, query)
		scan.Limit++
		indexed(t, pool, fmt.Sprintf("page %+v", query), scan.sql(), scan.args(), scan.Limit)
		scan.Limit = MaxCount + 1
		indexed(t, pool, fmt.Sprintf("count %+v", query), scan.countSQL(), scan.args(), scan.Limit)
	}
	for name, sql := range map[string]string{"member": memberSelect, "lock": memberLock} {
		indexed(t, pool, name, sql, []any{l.ID, middle}, 1)
	}
	indexed(t, pool, "rights", rightsSelect, []any{l.ID, []string{middle}}, 10)
	indexed(t, pool, "known", addressKnown, []any{middle}, 10)
	indexed(t, pool, "memberships", membershipsSelect, []any{middle, maxWhich + 1}, 10)
	for _, list := range []int64{l.ID, l.ID + 1} { // the other's members are the last in the table
		indexed(t, pool, fmt.Sprint("expandable ", list), expandableSelect, []any{list, false}, 1)
		indexed(t, pool, fmt.Sprint("roster ", list), rosterSelect, []any{list, middle, false, expandPage}, expandPage)
	}
}

// TestRosterStaysInItsList has a list whose rows lie in no order, where those of another lie in the
// order of their keys: PostgreSQL then thinks the index of keys of all lists the cheaper.
func TestRosterStaysInItsList(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	s := New(pool, Config{})
	var made []int64
	for _, n := range []int{20_000, 200_000} {
		l, err := s.CreateList(t.Context(), CLI(), NewList{Address: smtp.Address{Local: fmt.Sprint("l", n), Domain: "a.example"}})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, l.ID)
		fillList(t, pool, l.ID, n)
	}
	for _, list := range made {
		indexed(t, pool, fmt.Sprint("roster ", list), rosterSelect, []any{list, "u0100000@great.example", false, expandPage}, expandPage)
	}
}

// TestOldListsStaySmall holds that a page of a list of few posts, or of few who ask to join, does not
// read those that came to other lists since.
func TestOldListsStaySmall(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	for _, sql := range []string{
		`INSERT INTO domain (name) VALUES ('a.example')`,
		`INSERT INTO list (domain, local) SELECT d.id, l FROM domain d, (VALUES ('old'), ('new')) v(l)`,
		`INSERT INTO post (id, list, ref, kind, state, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
			SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid, 1 + (g > 50000 OR g % 2 = 0)::int, g, 'post',
				CASE WHEN g % 4 < 2 THEN 'held' ELSE 'accepted' END, '', '', '', '', 1, '', false, false, 1 FROM generate_series(1, 200000) g`,
		`INSERT INTO join_request (list, key, address) SELECT 1 + (g < 30000 OR g % 2 = 0)::int, 'm' || g, 'm' || g FROM generate_series(1, 60060) g`,
		`ANALYZE post, join_request`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string]pgx.NamedArgs{
		"first":  {"before": uuid.Max},
		"second": {"before": uuid.MustParse("00000000-0000-7000-8000-000000001020")},
	} {
		args["list"], args["state"], args["limit"] = int64(1), "", 51
		indexed(t, pool, "posts, "+name, postsSelect, args, 60)
		indexed(t, pool, "held, "+name, heldSelect, args, 60)
	}
	indexed(t, pool, "requests", joinRequestsSelect, []any{int64(1), int64(0), 51}, 60)
	// Of the old list there are more held posts and requests than are counted, and no post that is new.
	indexed(t, pool, "numbers", listStatsSelect, []any{int64(1), uuid.MustParse("00000000-0000-7000-8000-000000020000")}, MaxCount+1)
}

// indexed runs a statement and fails if its plan scans member, sorts many rows, or reads more rows
// than it may.
func indexed(t *testing.T, pool *pgxpool.Pool, name, sql string, args any, most int) {
	t.Helper()
	list, ok := args.([]any)
	if !ok {
		list = []any{args}
	}
	rows, err := pool.Query(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) "+sql, list...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	plan, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]struct{ Plan planNode }])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	plan[0].Plan.walk(func(n planNode) {
		if n.Type == "Seq Scan" && n.Relation == "member" {
			t.Errorf("%s: scans the whole table", name)
		}
		if read := int(n.Rows+n.Removed) * max(1, n.Loops); read > most {
			t.Errorf("%s: %s reads %d rows for %d", name, n.Type, read, most)
		}
	})
}

type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Rows     float64    `json:"Actual Rows"`
	Loops    int        `json:"Actual Loops"`
	Removed  float64    `json:"Rows Removed by Filter"`
	Plans    []planNode `json:"Plans"`
}

func (n planNode) walk(visit func(planNode)) {
	visit(n)
	for _, p := range n.Plans {
		p.walk(visit)
	}
}

func TestMemberPages(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	s := New(pool, Config{})
	l, err := s.CreateList(t.Context(), CLI(), NewList{Address: smtp.Address{Local: "dev", Domain: "a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	file := "b@x.example\na@x.example\nc@y.example\nab@doc.ic.example\nd@x.example\nb@doc.example\nzo\u00eb@b\u00fccher.example\n_@z.example\n"
	if _, err := s.Import(t.Context(), CLI(), l.ID, strings.NewReader(file), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		q    MemberQuery
		want string
		more bool
		n    int
	}{
		{MemberQuery{}, "_@z a@x ab@doc.ic b@doc b@x c@y d@x zo\u00eb@xn--bcher-kva", false, 8},
		{MemberQuery{Limit: 3}, "_@z a@x ab@doc.ic", true, 8},
		{MemberQuery{Limit: 3, After: "ab@doc.ic.example"}, "b@doc b@x c@y", true, 8},
		{MemberQuery{Limit: 3, After: "c@y.example"}, "d@x zo\u00eb@xn--bcher-kva", false, 8},
		{MemberQuery{Limit: 3, Before: "d@x.example"}, "b@doc b@x c@y", true, 8},
		{MemberQuery{Limit: 3, Before: "ab@doc.ic.example"}, "_@z a@x", false, 8},
		{MemberQuery{Search: "A"}, "a@x ab@doc.ic", false, 2},
		{MemberQuery{Search: "b@X.Example"}, "b@x", false, 1},
		{MemberQuery{Search: "@doc"}, "b@doc ab@doc.ic", false, 2},
		{MemberQuery{Search: "@doc", Limit: 1}, "b@doc", true, 2},
		{MemberQuery{Search: "@doc", After: "b@doc.example"}, "ab@doc.ic", false, 2},
		{MemberQuery{Search: "@doc", Before: "ab@doc.ic.example"}, "b@doc", false, 2},
		{MemberQuery{Search: "@b\u00fccher.example"}, "zo\u00eb@xn--bcher-kva", false, 1},
		{MemberQuery{Search: " Zoe\u0308@"}, "zo\u00eb@xn--bcher-kva", false, 1},
		{MemberQuery{Search: "%"}, "", false, 0},
		{MemberQuery{Search: "_"}, "_@z", false, 1},
		{MemberQuery{Search: "\xff\x00"}, "", false, 0},
		{MemberQuery{Search: "@"}, "", false, 0},
	} {
		page, err := s.Members(t.Context(), CLI(), l.ID, tt.q)
		if err != nil {
			t.Errorf("%+v: %v", tt.q, err)
			continue
		}
		var keys []string
		for _, m := range page.Members {
			keys = append(keys, strings.TrimSuffix(m.Key, ".example"))
		}
		if got := strings.Join(keys, " "); got != tt.want || page.More != tt.more || page.Count != tt.n || page.CountCapped {
			t.Errorf("%+v: %q more=%v n=%d, want %q %v %d", tt.q, got, page.More, page.Count, tt.want, tt.more, tt.n)
		}
	}
}

func TestCountIsCapped(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	s := New(pool, Config{})
	l := bigList(t, pool, s, MaxCount+500)
	page, err := s.Members(t.Context(), CLI(), l.ID, MemberQuery{})
	if err != nil || page.Count != MaxCount || !page.CountCapped {
		t.Errorf("%d, %v, %v", page.Count, page.CountCapped, err)
	}
	page, err = s.Members(t.Context(), CLI(), l.ID, MemberQuery{Search: "u000000"})
	if err != nil || page.Count != 10 || page.CountCapped {
		t.Errorf("%d, %v, %v", page.Count, page.CountCapped, err)
	}
}
