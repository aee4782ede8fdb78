package lists

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"muster/migrations/testdb"
)

// TestListPagesStayCheap holds that a page of the lists of a great site does not read them all.
func TestListPagesStayCheap(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	for _, sql := range []string{
		`INSERT INTO domain (name) SELECT 'd' || lpad(i::text, 2, '0') || '.example' FROM generate_series(0, 19) i`,
		`INSERT INTO list (domain, local, advertised) SELECT d.id, 'l' || lpad(i::text, 4, '0'), i % 10 > 0 FROM domain d, generate_series(0, 499) i`,
		`INSERT INTO role (list, key, address, role) SELECT id, 'o' || id % 1000 || '@x.example', '', 'owner' FROM list`,
		`INSERT INTO member (list, key, address, domain) SELECT l.id, a, a, 'x.example' FROM list l, generate_series(1, 5) i,
			LATERAL (SELECT 'm' || (l.id * 7 + i * 131) % 5000 || '@x.example' AS a) m`,
		`ANALYZE`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string]pgx.NamedArgs{
		"first page, stranger": {"domain": "", "after_domain": "", "after_local": "", "mine": false, "admin": false, "keys": []string{}},
		"late page, member":    {"domain": "", "after_domain": "d17.example", "after_local": "l0400", "mine": false, "admin": false, "keys": []string{"m7@x.example"}},
		"one domain, admin":    {"domain": "d05.example", "after_domain": "", "after_local": "", "mine": false, "admin": true, "keys": []string{}},
	} {
		args["limit"] = 51
		indexed(t, pool, name, listsSelect, args, 2000)
	}
	indexed(t, pool, "address", listIDSelect, []any{"l0007", "d03.example"}, 20)
}
