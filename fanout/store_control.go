package fanout

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// copyKey names a deferred copy; the copies of a part of the queue are gone through in its order.
type copyKey struct{ fanout, member int64 }

// firstCopy is before all: a notice's addressee is below zero.
func firstCopy() copyKey { return copyKey{0, math.MinInt64} }

// sqlDeferredFanouts are the fan-outs with deferred copies, in their order: it skips from one to the next
// in the index, and goes no further than who asks reads on. sqlDeferredFanout says of one whether it is
// of the part that is asked for, and sqlDeferredCopy says so of its copies after the last: in words that
// only the primary key answers. Each is looked up by itself, so that a page reads as much as it holds
// whatever statistics say.
const (
	sqlDeferredFanouts = `
		WITH RECURSIVE f(id) AS (
			SELECT COALESCE((SELECT o.id FROM fanout o WHERE o.post = $3), (
				SELECT d.fanout FROM delivery d WHERE d.state = 'deferred' AND d.fanout >= $5 ORDER BY d.fanout LIMIT 1))
			UNION ALL
			SELECT (SELECT d.fanout FROM delivery d WHERE d.state = 'deferred' AND d.fanout > f.id ORDER BY d.fanout LIMIT 1)
			FROM f WHERE f.id IS NOT NULL AND $3::uuid IS NULL)`
	sqlDeferredFanout = `o.id = f.id AND ($1 = 0 OR o.list = $1) AND ($3::uuid IS NULL OR o.post = $3)`
	sqlDeferredCopy   = `d.fanout = f.id AND d.member > CASE WHEN f.id = $5 THEN $6::bigint ELSE -9223372036854775808 END
				AND d.state <> 'failed' AND d.shard IS NULL AND ($2 = '' OR d.dest = (SELECT x.id FROM destination x WHERE x.name = $2))`
)

const sqlMakeDue = sqlDeferredFanouts + `,
		later AS MATERIALIZED (
			SELECT c.fanout, c.member FROM f
			CROSS JOIN LATERAL (SELECT FROM fanout o WHERE ` + sqlDeferredFanout + ` LIMIT 1) o
			CROSS JOIN LATERAL (SELECT d.fanout, d.member FROM delivery d WHERE ` + sqlDeferredCopy + ` AND d.due > now()
				ORDER BY d.member LIMIT $4 FOR UPDATE SKIP LOCKED) c
			LIMIT $4),
		made AS (
			UPDATE delivery d SET due = now() FROM later
			WHERE d.fanout = later.fanout AND d.member = later.member)
		SELECT fanout, member, count(*) OVER () AS n FROM later ORDER BY fanout DESC, member DESC LIMIT 1`

// makeDue makes the next deferred copies of a part of the queue due that are not yet, at most limit.
// It tells how many and the last of them. Rows are locked as expireDeliveries locks them.
func makeDue(ctx context.Context, q querier, s Selection, after copyKey, limit int) (last copyKey, n int64, err error) {
	err = q.QueryRow(ctx, sqlMakeDue, s.List, s.Destination, s.post(), limit, after.fanout, after.member).Scan(&last.fanout, &last.member, &n)
	if errors.Is(err, pgx.ErrNoRows) {
		return after, 0, nil
	}
	if err != nil {
		return after, 0, fmt.Errorf("making deferred copies due: %w", err)
	}
	return last, n, nil
}

// unblock lets nodes connect again to the destinations where copies of a part of the queue wait.
// How often each failed stays, so that one still down is left alone as long as before.
func unblock(ctx context.Context, q querier, s Selection) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH waiting AS MATERIALIZED (
			SELECT x.id FROM destination x
			WHERE x.blocked > now() AND ($2 = '' OR x.name = $2)
				AND ($1 = 0 AND $3::uuid IS NULL
					OR EXISTS (SELECT FROM fanout f JOIN shard s ON s.fanout = f.id
						WHERE f.finished IS NULL AND ($1 = 0 OR f.list = $1) AND ($3::uuid IS NULL OR f.post = $3)
							AND s.dest = x.id AND s.state IN ('queued', 'ready'))
					OR EXISTS (SELECT FROM fanout f JOIN delivery d ON d.fanout = f.id
						WHERE f.finished IS NULL AND ($1 = 0 OR f.list = $1) AND ($3::uuid IS NULL OR f.post = $3)
							AND d.dest = x.id AND d.state = 'deferred'))
			ORDER BY x.id FOR UPDATE),
		told AS (
			DELETE FROM trouble t WHERE t.dests && (SELECT array_agg(id) FROM waiting))
		UPDATE destination x SET blocked = NULL FROM waiting WHERE x.id = waiting.id`,
		s.List, s.Destination, s.post())
	if err != nil {
		return 0, fmt.Errorf("unblocking destinations: %w", err)
	}
	return tag.RowsAffected(), nil
}

// retryMixed has each node connect again to destinations that it left alone, before it claims a shard of
// many that is ready after this.
func retryMixed(ctx context.Context, q querier, s Selection) error {
	_, err := q.Exec(ctx, `
		WITH many AS MATERIALIZED (
			SELECT x.id FROM destination x
			WHERE (x.name = $1 OR x.name = $2 OR x.name > $2 || ' ' AND x.name < $2 || '!') AND ($3 = '' OR x.name = $3)
			ORDER BY x.id FOR UPDATE),
		told AS (
			DELETE FROM trouble WHERE EXISTS (SELECT FROM many))
		UPDATE destination x SET retried = x.retried + 1 FROM many WHERE x.id = many.id`, destMixed, destRelay, s.Destination)
	if err != nil {
		return fmt.Errorf("trying destinations again: %w", err)
	}
	return nil
}

// post is null where no post is selected.
func (s Selection) post() *uuid.UUID {
	if s.Post == uuid.Nil {
		return nil
	}
	return &s.Post
}
