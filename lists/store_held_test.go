package lists

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/migrations/testdb"
)

// However many lists and posts there are, what waits is found by an index.
func TestWhatWaitsIsFoundByIndex(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO domain (name) VALUES ('lists.example')`)
	exec(`INSERT INTO list (domain, local, moderator_notices) SELECT d.id, 'list' || n, CASE WHEN n % 500 = 0 THEN 'daily' ELSE 'at-once' END
		FROM domain d, generate_series(1, 3000) n`)
	exec(`INSERT INTO post (id, ref, list, kind, state, arrived, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
		SELECT gen_random_uuid(), 'ref' || l.id || '-' || n, l.id, 'post',
			CASE WHEN l.id % 100 = 0 AND n = 1 THEN 'held' WHEN l.id % 100 = 1 AND n = 1 THEN 'unconfirmed' ELSE 'accepted' END,
			now() - n * interval '1 day', '', 'ann@a.example', '<x>', 'x', 1, '', false, false, 1
		FROM list l, generate_series(1, 10) n`)
	exec(`ANALYZE`)
	for name, ask := range map[string]struct {
		sql  string
		args []any
	}{
		"overdue": {overdueSelect, []any{confirmLife, 100}},
		"daily":   {dailyListsSelect, []any{int64(0), 100}},
		"oldest":  {oldestHeldSelect, []any{int64(100), 20}},
		"count":   {waitingCount, []any{int64(100), 1000}},
		"page":    {heldSelect, []any{pgx.NamedArgs{"list": int64(100), "before": uuid.Max, "limit": 50}}},
	} {
		plan := explain(t.Context(), t, pool, ask.sql, ask.args)
		if strings.Contains(plan, "Seq Scan on post") || strings.Contains(plan, "Seq Scan on list") && name != "overdue" {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

func explain(ctx context.Context, t *testing.T, q querier, sql string, args []any) string {
	t.Helper()
	rows, err := q.Query(ctx, `EXPLAIN `+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
