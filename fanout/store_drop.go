package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

func selectNow(ctx context.Context, q querier) (now time.Time, err error) {
	if err := q.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("the database's clock: %w", err)
	}
	return now, nil
}

// selectBacklog counts what waits of a part of the queue, looking at limit rows of each kind, and one
// that says there are more.
func selectBacklog(ctx context.Context, q querier, s Selection, limit int) (Backlog, error) {
	var b Backlog
	err := q.QueryRow(ctx, `
		WITH posts AS (SELECT FROM post p WHERE p.state = 'accepted' AND p.planned IS NULL AND $2 = ''
			AND ($1 = 0 OR p.list = $1) AND ($3::uuid IS NULL OR p.id = $3) LIMIT $4 + 1),
		notices AS (SELECT FROM notice n WHERE n.planned IS NULL AND $2 = '' AND $3::uuid IS NULL
			AND ($1 = 0 OR n.list = $1) LIMIT $4 + 1),
		shards AS (SELECT s.size - s.done AS n FROM fanout f JOIN shard s ON s.fanout = f.id JOIN destination x ON x.id = s.dest
			WHERE f.finished IS NULL AND s.state <> 'done' AND NOT s.retry AND s.given_up = ''
				AND ($1 = 0 OR f.list = $1) AND ($2 = '' OR x.name = $2) AND ($3::uuid IS NULL OR f.post = $3) LIMIT $4 + 1),
		deferred AS (SELECT FROM fanout f JOIN delivery d ON d.fanout = f.id JOIN destination x ON x.id = d.dest
			WHERE f.finished IS NULL AND d.state = 'deferred'
				AND ($1 = 0 OR f.list = $1) AND ($2 = '' OR x.name = $2) AND ($3::uuid IS NULL OR f.post = $3) LIMIT $4 + 1)
		SELECT p.n + q.n, COALESCE(s.copies, 0), d.n, GREATEST(p.n, q.n, s.n, d.n) > $4
		FROM (SELECT count(*) AS n FROM posts) p, (SELECT count(*) AS n FROM notices) q,
			(SELECT count(*) AS n, sum(n) AS copies FROM shards) s, (SELECT count(*) AS n FROM deferred) d`,
		s.List, s.Destination, s.post(), limit).Scan(&b.Messages, &b.Copies, &b.Deferred, &b.More)
	if err != nil {
		return Backlog{}, fmt.Errorf("what waits: %w", err)
	}
	return b, nil
}

// dropPosts ends posts that are not planned as fan-outs without copies. One that is being planned is
// waited for, and is a fan-out then.
func dropPosts(ctx context.Context, tx pgx.Tx, d *dropping, limit int) (int64, error) {
	tag, err := tx.Exec(ctx, `
		WITH waiting AS MATERIALIZED (
			SELECT p.id, p.list, COALESCE(p.accepted, p.arrived) AS accepted FROM post p
			WHERE p.state = 'accepted' AND p.planned IS NULL AND COALESCE(p.accepted, p.arrived) <= $3
				AND ($1 = 0 OR p.list = $1) AND ($2::uuid IS NULL OR p.id = $2)
			ORDER BY p.id LIMIT $4 FOR UPDATE OF p),
		ended AS (
			INSERT INTO fanout (post, list, verp, ordered, accepted, expires, planned, finished)
			SELECT id, list, false, false, accepted, now(), now(), now() FROM waiting)
		UPDATE post p SET planned = now() FROM waiting w WHERE p.id = w.id`, d.List, d.post(), d.cut, limit)
	if err != nil {
		return 0, fmt.Errorf("posts not begun: %w", err)
	}
	return tag.RowsAffected(), nil
}

// dropNotices is dropPosts for notices. What they said is forgotten.
func dropNotices(ctx context.Context, tx pgx.Tx, d *dropping, limit int) (int64, error) {
	tag, err := tx.Exec(ctx, `
		WITH waiting AS MATERIALIZED (
			SELECT n.id, n.list, n.made FROM notice n
			WHERE n.planned IS NULL AND n.made <= $2 AND ($1 = 0 OR n.list = $1)
			ORDER BY n.id LIMIT $3 FOR UPDATE OF n),
		ended AS (
			INSERT INTO fanout (notice, list, verp, ordered, accepted, expires, planned, finished)
			SELECT id, list, false, false, made, now(), now(), now() FROM waiting)
		UPDATE notice n SET planned = now(), params = '{}' FROM waiting w WHERE n.id = w.id`, d.List, d.cut, limit)
	if err != nil {
		return 0, fmt.Errorf("notices not begun: %w", err)
	}
	return tag.RowsAffected(), nil
}

// closePlans has no more planned of fan-outs, and lets those be closed that were set aside.
func closePlans(ctx context.Context, q querier, d *dropping) error {
	_, err := q.Exec(ctx, `
		WITH open AS MATERIALIZED (
			SELECT f.id FROM fanout f
			WHERE f.finished IS NULL AND (f.planned IS NULL OR f.error <> '') AND f.accepted <= $3
				AND ($1 = 0 OR f.list = $1) AND ($2::uuid IS NULL OR f.post = $2)
			ORDER BY f.id FOR NO KEY UPDATE OF f)
		UPDATE fanout f SET planned = COALESCE(f.planned, now()), error = '' FROM open WHERE f.id = open.id`,
		d.List, d.post(), d.cut)
	if err != nil {
		return fmt.Errorf("plans given up: %w", err)
	}
	return nil
}

const sqlLockDropped = sqlDeferredFanouts + `,
		locked AS MATERIALIZED (
			SELECT c.* FROM f
			CROSS JOIN LATERAL (SELECT FROM fanout o WHERE ` + sqlDeferredFanout + ` AND o.accepted <= $7 LIMIT 1) o
			CROSS JOIN LATERAL (SELECT d.fanout, d.member, d.dest FROM delivery d WHERE ` + sqlDeferredCopy + `
				ORDER BY d.member LIMIT $4 FOR UPDATE) c
			LIMIT $4)
		SELECT fanout, member, dest FROM locked ORDER BY fanout, dest, member`

// lockDropped takes the next deferred copies that no shard carries, by fan-out and destination. Those
// that are being put into one are waited for, and are in a shard then.
func lockDropped(ctx context.Context, tx pgx.Tx, d *dropping, limit int) ([]dueCopy, error) {
	found, err := collect[dueCopy](ctx, tx, sqlLockDropped,
		d.List, d.Destination, d.post(), limit, d.after.fanout, d.after.member, d.cut)
	if err != nil {
		return nil, fmt.Errorf("deferred copies given up: %w", err)
	}
	return found, nil
}

// givenUp is what giveUpShards met.
type givenUp struct {
	Shards   int64
	Waiting  int64 // copies
	Underway int64
}

// giveUpShards marks shards that nothing more is to be sent of.
func giveUpShards(ctx context.Context, tx pgx.Tx, d *dropping, limit int) (givenUp, error) {
	found, err := collect[givenUp](ctx, tx, `
		WITH part AS MATERIALIZED (
			SELECT s.id FROM fanout f JOIN shard s ON s.fanout = f.id JOIN destination x ON x.id = s.dest
			WHERE f.finished IS NULL AND f.accepted <= $4 AND s.state <> 'done' AND s.given_up = ''
				AND ($1 = 0 OR f.list = $1) AND ($2 = '' OR x.name = $2) AND ($3::uuid IS NULL OR f.post = $3)
			LIMIT $5),
		locked AS MATERIALIZED (
			SELECT s.id FROM shard s WHERE s.id IN (SELECT id FROM part) AND s.state <> 'done' ORDER BY s.id FOR UPDATE),
		marked AS (
			UPDATE shard s SET given_up = $6 FROM locked l WHERE s.id = l.id RETURNING s.state, s.size - s.done AS n)
		SELECT count(*) AS shards, COALESCE(sum(n) FILTER (WHERE state <> 'claimed'), 0)::bigint AS waiting,
			COALESCE(sum(n) FILTER (WHERE state = 'claimed'), 0)::bigint AS underway FROM marked`,
		d.List, d.Destination, d.post(), d.cut, limit, d.by)
	if err != nil {
		return givenUp{}, fmt.Errorf("shards given up: %w", err)
	}
	return found[0], nil
}

// droppedRow is a shard that was given up.
type droppedRow struct {
	ID      int64
	Done    int32
	Size    int32
	GivenUp string `db:"given_up"`
}

func lockGivenUp(ctx context.Context, tx pgx.Tx, limit int) ([]droppedRow, error) {
	rows, err := collect[droppedRow](ctx, tx, `
		SELECT id, done, size, given_up FROM shard
		WHERE given_up <> '' AND state <> 'done' AND state <> 'claimed'
		ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`, limit)
	if err != nil {
		return nil, fmt.Errorf("shards given up: %w", err)
	}
	return rows, nil
}

// closeDropped closes shards that were given up, each with a piece of the journal. Deferrals of their
// members are given up with them: those that they carry, and those that came of them just now.
func closeDropped(ctx context.Context, tx pgx.Tx, shards []int64, lines [][]byte) error {
	_, err := tx.Exec(ctx, `
		WITH t AS (
			SELECT s.id, s.fanout, t.lines FROM unnest($1::bigint[], $2::bytea[]) AS t(id, lines) JOIN shard s ON s.id = t.id),
		gone AS (
			DELETE FROM delivery d USING t JOIN shard_members sm ON sm.shard = t.id CROSS JOIN LATERAL unnest(sm.members) AS u(member)
			WHERE d.fanout = t.fanout AND d.member = u.member AND d.state = 'deferred' AND (d.shard IS NULL OR d.shard = t.id)
			RETURNING t.id),
		counted AS (SELECT id, count(*) AS n FROM gone GROUP BY id),
		written AS (
			INSERT INTO journal (fanout, shard, lines) SELECT fanout, id, lines FROM t WHERE lines IS NOT NULL)
		UPDATE shard s SET state = 'done', done = s.size, epoch = s.epoch + 1,
			dropped = s.dropped + COALESCE(c.n, 0) + CASE WHEN s.retry THEN 0 ELSE s.size - s.done END
		FROM t LEFT JOIN counted c ON c.id = t.id WHERE s.id = t.id`, shards, lines)
	if err != nil {
		return fmt.Errorf("shards given up: %w", err)
	}
	return nil
}
