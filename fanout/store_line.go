package fanout

import (
	"context"
	"fmt"
)

// sqlOldest is the oldest fan-out of a line w with a first attempt to finish.
const sqlOldest = `(SELECT o.fanout FROM shard o
			WHERE o.list = w.list AND o.dest = w.dest AND o.state IN ('queued', 'ready', 'claimed') ORDER BY o.fanout LIMIT 1)`

// The parts that look up rows have limits, so that PostgreSQL goes to each in the index whatever
// statistics say of a table that was empty a moment ago. What is made ready goes a step after what is
// being sent now, as if it came just now: nobody waited for it before.
const sqlAdvance = `
		WITH next AS MATERIALIZED (
			SELECT w.list, w.dest, ` + sqlOldest + ` AS fanout FROM unnest($1::bigint[], $2::bigint[]) AS w(list, dest)),
		locked AS MATERIALIZED (
			SELECT q.* FROM next n CROSS JOIN LATERAL (
				SELECT s.id, s.fanout, s.dest, s.turn FROM shard s
				WHERE s.list = n.list AND s.dest = n.dest AND s.fanout = n.fanout AND s.state = 'queued'
				ORDER BY s.id LIMIT 1000000 FOR UPDATE SKIP LOCKED) q),
		level AS MATERIALIZED (
			SELECT l.fanout, l.dest, GREATEST(0, ` + sqlLevel + ` + COALESCE(x.step, 0) - l.turn) AS later
			FROM (SELECT fanout, dest, min(turn) AS turn FROM locked GROUP BY fanout, dest) l
			JOIN destination d ON d.id = l.dest LEFT JOIN fanout_share x ON x.fanout = l.fanout AND x.dest = l.dest),
		moved AS (
			UPDATE fanout_share s SET start = s.start + l.later FROM level l WHERE s.fanout = l.fanout AND s.dest = l.dest)
		UPDATE shard s SET state = 'ready', turn = s.turn + v.later
		FROM locked l JOIN level v ON v.fanout = l.fanout AND v.dest = l.dest WHERE s.id = l.id`

// advance makes the queued shards of each line's oldest fan-out ready. It returns how many they are.
func advance(ctx context.Context, q querier, lines []line) (int64, error) {
	if len(lines) == 0 {
		return 0, nil
	}
	lists, dests := make([]int64, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		lists[i], dests[i] = l.list, l.dest
	}
	tag, err := q.Exec(ctx, sqlAdvance, lists, dests)
	if err != nil {
		return 0, fmt.Errorf("shards that are next: %w", err)
	}
	return tag.RowsAffected(), nil
}

const sqlLines = `
		WITH RECURSIVE w(list, dest, n) AS (
			(SELECT s.list, s.dest, 1 FROM shard s WHERE s.state = 'queued' AND (s.list, s.dest) > ($1::bigint, $2::bigint)
				ORDER BY s.list, s.dest LIMIT 1)
			UNION ALL
			SELECT x.list, x.dest, w.n + 1 FROM w CROSS JOIN LATERAL (
				SELECT s.list, s.dest FROM shard s WHERE s.state = 'queued' AND (s.list, s.dest) > (w.list, w.dest)
				ORDER BY s.list, s.dest LIMIT 1) x
			WHERE w.n < $3)
		SELECT list, dest FROM w`

// selectLines lists the lines in which something is queued, in the order of their lists, skipping
// from one to the next in the index.
func selectLines(ctx context.Context, q querier, after line, limit int) ([]line, error) {
	rows, err := q.Query(ctx, sqlLines, after.list, after.dest, limit)
	if err != nil {
		return nil, fmt.Errorf("queued shards: %w", err)
	}
	defer rows.Close()
	var lines []line
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.list, &l.dest); err != nil {
			return nil, fmt.Errorf("queued shards: %w", err)
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}
