package fanout

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// insertNode makes a node row, and marks dead those that this data directory had before: its lock
// proves that whoever wrote them is gone.
func insertNode(ctx context.Context, q querier, identity, host string) (int64, error) {
	var id int64
	err := q.QueryRow(ctx, `
		WITH before AS (
			UPDATE node SET dead = now() WHERE identity = $1 AND identity <> '' AND dead IS NULL)
		INSERT INTO node (identity, host) VALUES ($1, $2) RETURNING id`, identity, host).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("node row: %w", err)
	}
	return id, nil
}

// beatNode counts the beat up; false if the row is dead.
func beatNode(ctx context.Context, q querier, node int64) (bool, error) {
	err := q.QueryRow(ctx, `UPDATE node SET beat = beat + 1, seen = now() WHERE id = $1 AND dead IS NULL RETURNING beat`,
		node).Scan(new(int64))
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("beat of node %d: %w", node, err)
	}
	return true, nil
}

// beatRow is another node's beat as read.
type beatRow struct {
	ID   int64
	Beat int64
}

func selectBeats(ctx context.Context, q querier) ([]beatRow, error) {
	return collect[beatRow](ctx, q, `SELECT id, beat FROM node WHERE dead IS NULL`)
}

// buryNode marks a node dead, unless its beat moved after all.
func buryNode(ctx context.Context, q querier, node, beat int64) (bool, error) {
	tag, err := q.Exec(ctx, `UPDATE node SET dead = now() WHERE id = $1 AND beat = $2 AND dead IS NULL`, node, beat)
	if err != nil {
		return false, fmt.Errorf("node %d dead: %w", node, err)
	}
	return tag.RowsAffected() == 1, nil
}

// leaveNode marks our own node dead when it has given back what it held. That it is seen at the very
// moment tells it from one that was found dead.
func leaveNode(ctx context.Context, q querier, node int64) error {
	if _, err := q.Exec(ctx, `UPDATE node SET dead = now(), seen = now() WHERE id = $1 AND dead IS NULL`, node); err != nil {
		return fmt.Errorf("node %d leaves: %w", node, err)
	}
	return nil
}

// freeShards gives back the shards that dead nodes hold. A claim that committed late is met by the
// next sweep.
func freeShards(ctx context.Context, q querier) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH held AS MATERIALIZED (
			SELECT s.id FROM shard s
			WHERE s.state = 'claimed' AND NOT EXISTS (SELECT FROM node n WHERE n.id = s.node AND n.dead IS NULL)
			ORDER BY s.id FOR UPDATE OF s SKIP LOCKED)
		UPDATE shard s SET state = 'ready', node = NULL, epoch = s.epoch + 1
		FROM held WHERE s.id = held.id`)
	if err != nil {
		return 0, fmt.Errorf("shards of dead nodes: %w", err)
	}
	return tag.RowsAffected(), nil
}

// ownRow is a shard that the database thinks a node holds.
type ownRow struct {
	ID   int64
	Stop bool // it is not to be sent any more, or not now
}

const sqlOwn = `
	SELECT s.id, ` + heldShard + ` AS stop FROM shard s WHERE s.node = $1 AND s.state = 'claimed' ORDER BY s.id`

func selectOwn(ctx context.Context, q querier, node int64) ([]ownRow, error) {
	return collect[ownRow](ctx, q, sqlOwn, node)
}

// freeOwn gives back shards of a node that none of its workers holds.
func freeOwn(ctx context.Context, q querier, node int64, shards []int64) error {
	_, err := q.Exec(ctx, `
		WITH held AS MATERIALIZED (
			SELECT id FROM shard WHERE id = ANY($2) AND node = $1 AND state = 'claimed' ORDER BY id FOR UPDATE)
		UPDATE shard s SET state = 'ready', node = NULL, epoch = s.epoch + 1
		FROM held WHERE s.id = held.id`, node, shards)
	if err != nil {
		return fmt.Errorf("shards nobody works on: %w", err)
	}
	return nil
}
