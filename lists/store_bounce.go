package lists

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// bounceRow is a bounce to be written.
type bounceRow struct {
	List   int64
	Member int64
	Source string
	Hard   bool
	Status string
	Text   string
}

// A member's score rises once a day, whatever comes back on it, and of one day no more than ten
// bounces are kept.
const bounceInsert = `
WITH noted AS (
	INSERT INTO bounce (list, member, source, hard, status, text)
	SELECT m.list, m.id, @source, @hard, @status, @text FROM member m
	WHERE m.id = @member AND m.list = @list
		AND 10 > (SELECT count(*) FROM bounce b WHERE b.member = m.id AND b.at >= @day::date))
UPDATE member SET score = score + 1, scored = @day::date
WHERE id = @member AND list = @list AND left_at IS NULL AND scored IS DISTINCT FROM @day::date`

func insertBounce(ctx context.Context, q querier, r bounceRow, day time.Time) error {
	_, err := q.Exec(ctx, bounceInsert, pgx.NamedArgs{
		"list": r.List, "member": r.Member, "source": r.Source, "hard": r.Hard, "status": r.Status, "text": r.Text, "day": day,
	})
	return err
}
