package fanout

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// What is asked again and again may not read every copy that ever failed.
func TestQueueReadsOnlyWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.member(list, "ben@b.example")
	post := w.post(list, testMessage)
	for range 19 {
		w.post(list, testMessage)
	}
	w.plan(true)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due)
		SELECT f.id, g, d.id, CASE WHEN g % 500 = 0 THEN 'deferred' ELSE 'failed' END, 1, now()
		FROM fanout f, destination d, generate_series(1, 2000) g WHERE d.name = 'relay'`)
	w.exec(`ANALYZE delivery`)
	for _, one := range []struct {
		name, sql string
		arg       any
	}{{"destinations", sqlDestinations, 100}, {"progress", sqlProgress, post}} {
		rows, err := w.pool.Query(context.Background(), "EXPLAIN "+one.sql, one.arg)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Seq Scan on delivery") || !strings.Contains(plan, "delivery_deferred") {
			t.Errorf("%s:\n%s", one.name, plan)
		}
	}
}
