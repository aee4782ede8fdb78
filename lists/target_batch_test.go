package lists

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/migrations/testdb"
)

// served makes a domain with lists of these names, in which the member and the owner have a standing
// in the first.
func served(t *testing.T, r *targetReader, locals ...string) {
	t.Helper()
	_, err := r.pool.Exec(t.Context(), `WITH d AS (INSERT INTO domain (name) VALUES ('lists.example') RETURNING id)
		INSERT INTO list (domain, local, name) SELECT d.id, l, l FROM d, unnest($1::text[]) l`, locals)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`INSERT INTO member (list, key, address, domain, joined) SELECT id, 'ann@a.example', 'ann@a.example', 'a.example', now() FROM list WHERE local = $1`,
		`INSERT INTO role (list, key, address, role) SELECT id, 'own@a.example', 'own@a.example', 'owner' FROM list WHERE local = $1`,
	} {
		if _, err := r.pool.Exec(t.Context(), sql, locals[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTargetReaderAnswersEachItsOwn(t *testing.T) {
	t.Parallel()
	r := newTargetReader(testdb.New(t))
	served(t, r, "dev", "help")
	cases := []struct{ domain, local, sender, want string }{
		{"lists.example", "dev", "ann@a.example", "dev true false"},
		{"lists.example", "help", "ann@a.example", "help false false"},
		{"lists.example", "dev", "own@a.example", "dev false true"},
		{"lists.example", "dev", "", "dev false false"},
		{"lists.example", "none", "ann@a.example", " false false"},
		{"else.example", "dev", "ann@a.example", "not served"},
	}
	var all sync.WaitGroup
	for i := range 60 {
		c := cases[i%len(cases)]
		all.Go(func() {
			row, err := r.row(t.Context(), c.domain, c.local, c.sender)
			got := "not served"
			if row.DomainID != 0 {
				got = fmt.Sprintf("%s %t %t", row.Local, row.Member, row.Moderates)
			}
			if err != nil || got != c.want {
				t.Errorf("%v: %q, %v", c, got, err)
			}
		})
	}
	all.Wait()
}

// A recipient that the database refuses is no reason to refuse those who came with it.
func TestTargetReaderSparesTheNeighbours(t *testing.T) {
	t.Parallel()
	r := newTargetReader(testdb.New(t))
	served(t, r, "dev")
	bad := &targetQuestion{domain: "lists.example", local: "a\x00b", err: errUnasked}
	good := &targetQuestion{domain: "lists.example", local: "dev", err: errUnasked}
	r.read(t.Context(), []*targetQuestion{bad, good})
	if bad.err == nil || good.err != nil || good.found.Local != "dev" {
		t.Errorf("%v; %v, %+v", bad.err, good.err, good.found)
	}
}

// However many recipients, lists and members: an index for each.
func TestTargetReaderWalksIndexes(t *testing.T) {
	t.Parallel()
	r := newTargetReader(testdb.New(t))
	served(t, r, "dev")
	_, err := r.pool.Exec(t.Context(), `WITH l AS (
			INSERT INTO list (domain, local, name) SELECT d.id, 'list' || n, '' FROM domain d, generate_series(1, 1000) n RETURNING id)
		INSERT INTO member (list, key, address, domain) SELECT id, n || '@b.example', n || '@b.example', 'b.example' FROM l, generate_series(1, 5) n`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.pool.Exec(t.Context(), `ANALYZE list; ANALYZE domain; ANALYZE member; ANALYZE role`); err != nil {
		t.Fatal(err)
	}
	rows, err := r.pool.Query(t.Context(), `EXPLAIN `+targetsSelect, []string{"lists.example"}, []string{"dev"}, []string{"x@a.example"})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range plan {
		if strings.Contains(line, "Seq Scan on list") || strings.Contains(line, "Seq Scan on member") {
			t.Errorf("%s of\n%s", line, strings.Join(plan, "\n"))
		}
	}
}
