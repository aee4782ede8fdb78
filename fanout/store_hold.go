package fanout

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// noPost is the post of a hold that names none.
const noPost = `'00000000-0000-0000-0000-000000000000'::uuid`

// heldShard says of a row s with a fan-out and a destination of a shard whether it may not be sent.
// Each part of the key is one of two, so that it is looked up in the primary key however many holds
// there are.
const heldShard = `(EXISTS (SELECT FROM fanout hf JOIN hold h
		ON h.list = ANY(ARRAY[0, hf.list]) AND h.dest = ANY(ARRAY[0, s.dest]) AND h.post = ANY(ARRAY[` + noPost + `, hf.post])
	WHERE hf.id = s.fanout) OR s.given_up <> '')`

// dest is the row of the destination that a selection names, 0 if it names none.
func (s Selection) dest(ctx context.Context, q querier) (int64, error) {
	if s.Destination == "" {
		return 0, nil
	}
	var id int64
	err := q.QueryRow(ctx, `SELECT id FROM destination WHERE name = $1`, s.Destination).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("%s: %w", s.Destination, ErrNoDestination)
	}
	if err != nil {
		return 0, fmt.Errorf("destination %s: %w", s.Destination, err)
	}
	return id, nil
}

func insertHold(ctx context.Context, q querier, s Selection, dest int64, by string) (bool, error) {
	tag, err := q.Exec(ctx, `
		INSERT INTO hold (list, dest, post, actor) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, s.List, dest, s.Post, by)
	if err != nil {
		return false, fmt.Errorf("hold: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

func deleteHold(ctx context.Context, q querier, s Selection, dest int64) (bool, error) {
	tag, err := q.Exec(ctx, `DELETE FROM hold WHERE list = $1 AND dest = $2 AND post = $3`, s.List, dest, s.Post)
	if err != nil {
		return false, fmt.Errorf("hold: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

func isAllHeld(ctx context.Context, q querier) (held bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hold WHERE list = 0 AND dest = 0 AND post = `+noPost+`)`).Scan(&held)
	if err != nil {
		return false, fmt.Errorf("hold of all mail: %w", err)
	}
	return held, nil
}

func isPostHeld(ctx context.Context, q querier, post uuid.UUID) (itself, others bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM hold h WHERE h.list = 0 AND h.dest = 0 AND h.post = p.id),
			EXISTS (SELECT FROM hold h WHERE h.list = ANY(ARRAY[0, p.list]) AND h.dest = 0 AND h.post = `+noPost+`)
		FROM post p WHERE p.id = $1`, post).Scan(&itself, &others)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, false, fmt.Errorf("hold of post %s: %w", post, err)
	}
	return itself, others, nil
}

func selectHolds(ctx context.Context, q querier, limit int) ([]Hold, error) {
	rows, err := q.Query(ctx, `
		SELECT h.list, COALESCE(x.name, ''), h.post, COALESCE(l.local || '@' || d.name, ''), COALESCE(p.subject, ''), h.at, h.actor
		FROM hold h LEFT JOIN destination x ON x.id = h.dest
		LEFT JOIN list l ON l.id = h.list LEFT JOIN domain d ON d.id = l.domain
		LEFT JOIN post p ON p.id = h.post AND h.post <> `+noPost+`
		ORDER BY h.list = 0 AND h.dest = 0 AND h.post = `+noPost+` DESC, h.at DESC, h.list, h.dest, h.post LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("holds: %w", err)
	}
	holds, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Hold, err error) {
		err = row.Scan(&h.What.List, &h.What.Destination, &h.What.Post, &h.Address, &h.Subject, &h.At, &h.By)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("holds: %w", err)
	}
	return holds, nil
}

// It skips from one fan-out and destination to the next in the index, however many shards each has.
const sqlReadyHeld = `
		WITH RECURSIVE s(fanout, dest) AS (
			(SELECT x.fanout, x.dest FROM shard x WHERE x.state = 'held' ORDER BY x.fanout, x.dest LIMIT 1)
			UNION ALL
			SELECT n.fanout, n.dest FROM s CROSS JOIN LATERAL (
				SELECT x.fanout, x.dest FROM shard x WHERE x.state = 'held' AND (x.fanout, x.dest) > (s.fanout, s.dest)
				ORDER BY x.fanout, x.dest LIMIT 1) n),
		free AS (
			SELECT s.fanout, s.dest FROM (SELECT fanout, dest, '' AS given_up FROM s) s WHERE NOT ` + heldShard + `),
		locked AS MATERIALIZED (
			SELECT o.id FROM free f
			JOIN shard o ON o.fanout = f.fanout AND o.dest = f.dest AND o.state = 'held' AND o.given_up = ''
			ORDER BY o.id LIMIT $1 FOR UPDATE OF o SKIP LOCKED),
		level AS (
			SELECT o.id, CASE WHEN o.turn > 0 THEN GREATEST(d.turn - min(o.turn) OVER (PARTITION BY o.fanout, o.dest), 0) ELSE 0 END AS later
			FROM locked l JOIN shard o ON o.id = l.id JOIN destination d ON d.id = o.dest),
		moved AS (
			UPDATE shard o SET state = CASE WHEN o.list IS NULL THEN 'ready' ELSE 'queued' END, turn = o.turn + l.later
			FROM level l WHERE o.id = l.id RETURNING o.list, o.dest)
		SELECT COALESCE(list, 0), dest, count(*) FROM moved GROUP BY list, dest`

// readyHeld takes shards that are put by and may be sent back into the queue: those of a list into its
// lines, which it returns, with how many shards there were in all. They go level with what is being
// sent now: others did not wait for them, and need not make up for that.
func readyHeld(ctx context.Context, q querier, limit int) (lines []line, n int64, err error) {
	rows, err := q.Query(ctx, sqlReadyHeld, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("shards not held any more: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l line
		var shards int64
		if err := rows.Scan(&l.list, &l.dest, &shards); err != nil {
			return nil, 0, fmt.Errorf("shards not held any more: %w", err)
		}
		if l.list != 0 {
			lines = append(lines, l)
		}
		n += shards
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("shards not held any more: %w", err)
	}
	return lines, n, nil
}

// prolongHeld keeps the time of fan-outs from ending of which something is held, so that what is
// released is tried for a day at least.
func prolongHeld(ctx context.Context, q querier) error {
	_, err := q.Exec(ctx, `
		WITH late AS MATERIALIZED (
			SELECT f.id FROM fanout f
			WHERE f.finished IS NULL AND f.expires <= now() + interval '1 day' AND EXISTS (SELECT FROM hold h
				WHERE h.list = ANY(ARRAY[0, f.list]) AND h.post = ANY(ARRAY[`+noPost+`, f.post]) AND (h.dest = 0
					OR EXISTS (SELECT FROM shard s WHERE s.fanout = f.id AND s.dest = h.dest AND s.state <> 'done')
					OR EXISTS (SELECT FROM delivery d WHERE d.fanout = f.id AND d.dest = h.dest AND d.state = 'deferred')))
			ORDER BY f.id LIMIT 1000 FOR NO KEY UPDATE OF f SKIP LOCKED)
		UPDATE fanout f SET expires = now() + interval '26 hours' FROM late WHERE f.id = late.id`)
	if err != nil {
		return fmt.Errorf("time of what is held: %w", err)
	}
	return nil
}

// insertAudit writes down who changed what of the queue, in the transaction that changes it. Of a drop it
// tells what that gave up, and apart from it what was under way, of which some was delivered.
func insertAudit(ctx context.Context, q querier, s Selection, action, by string, d *Dropped) error {
	var copies, underway *int64
	if d != nil {
		copies, underway = &d.Copies, &d.Underway
	}
	_, err := q.Exec(ctx, `
		INSERT INTO audit (actor, action, list, params)
		VALUES ($1, $2, nullif($3, 0::bigint), jsonb_strip_nulls(jsonb_build_object(
			'destination', nullif($4::text, ''), 'post', $5::uuid, 'copies', $6::bigint, 'underway', $7::bigint)))`,
		by, action, s.List, s.Destination, s.post(), copies, underway)
	if err != nil {
		return fmt.Errorf("audit of %s: %w", action, err)
	}
	return nil
}
