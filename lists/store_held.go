package lists

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Held posts are few among many, and have an index; so have those that wait for their author.
const overdueSelect = `SELECT p.id FROM post p JOIN list l ON l.id = p.list
	WHERE p.state = 'held' AND l.max_hold_days > 0 AND coalesce(p.held, p.arrived) < now() - make_interval(days => l.max_hold_days)
		AND (` + claimOpen + `) IS NOT TRUE
UNION ALL SELECT id FROM post WHERE state = 'unconfirmed' AND arrived < now() - $1::interval AND (` + claimOpen + `) IS NOT TRUE
LIMIT $2`

// isOverdue asks the same of one post.
const isOverdue = `SELECT EXISTS (SELECT FROM post p JOIN list l ON l.id = p.list
	WHERE p.id = $2 AND (` + claimOpen + `) IS NOT TRUE AND CASE p.state
		WHEN 'held' THEN l.max_hold_days > 0 AND coalesce(p.held, p.arrived) < now() - make_interval(days => l.max_hold_days)
		WHEN 'unconfirmed' THEN p.arrived < now() - $1::interval ELSE false END)`

func selectIsOverdue(ctx context.Context, q querier, unconfirmed time.Duration, id uuid.UUID) (overdue bool, err error) {
	err = q.QueryRow(ctx, isOverdue, unconfirmed, id).Scan(&overdue)
	return overdue, err
}

func selectOverdue(ctx context.Context, q querier, unconfirmed time.Duration, limit int) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, overdueSelect, unconfirmed, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

const dailyListsSelect = `SELECT l.id FROM list l
WHERE l.moderator_notices = 'daily' AND l.deleted IS NULL AND l.id > $1
	AND (EXISTS (SELECT FROM post p WHERE p.list = l.id AND p.state = 'held')
		OR EXISTS (SELECT FROM join_request r WHERE r.list = l.id))
ORDER BY l.id LIMIT $2`

func selectDailyLists(ctx context.Context, q querier, after int64, limit int) ([]int64, error) {
	rows, err := q.Query(ctx, dailyListsSelect, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Written as heldSelect is, from the other end.
const oldestHeldSelect = `SELECT ` + postColumns + ` FROM post
WHERE (list, id) > ($1, '00000000-0000-0000-0000-000000000000'::uuid) AND list <= $1 AND kind = 'post' AND state = 'held'
ORDER BY list, id LIMIT $2`

func selectOldestHeld(ctx context.Context, q querier, listID int64, limit int) ([]Post, error) {
	return collect[Post](ctx, q, oldestHeldSelect, listID, limit)
}

const waitingCount = `SELECT
	(SELECT count(*) FROM (SELECT FROM post WHERE list = $1 AND kind = 'post' AND state = 'held' LIMIT $2) p),
	(SELECT count(*) FROM (SELECT FROM join_request WHERE list = $1 LIMIT $2) r)`

// countWaiting counts held posts and requests to join, each up to a bound.
func countWaiting(ctx context.Context, q querier, listID int64, most int) (held, asked int, err error) {
	err = q.QueryRow(ctx, waitingCount, listID, most).Scan(&held, &asked)
	return held, asked, err
}
