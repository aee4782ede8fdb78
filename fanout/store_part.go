package fanout

import (
	"context"
	"fmt"
)

const sqlPart = `
		WITH old AS (
			SELECT s.id, s.fanout, s.dest, s.list, s.turn, s.size, s.retry, s.given_up, sm.members
			FROM shard s JOIN shard_members sm ON sm.shard = s.id
			WHERE s.id = $2 AND s.epoch = $3 AND s.node = $1 AND s.state = 'claimed' FOR UPDATE OF s),
		kept AS (
			UPDATE shard s SET size = LEAST(s.size, $4), list = NULL FROM old WHERE s.id = old.id),
		shorter AS (
			UPDATE shard_members sm SET members = old.members[:$4] FROM old WHERE sm.shard = old.id AND old.size > $4),
		new AS (
			INSERT INTO shard (fanout, dest, list, turn, size, retry, given_up, state)
			SELECT fanout, dest, list, turn, size - $4, retry, given_up, 'ready' FROM old WHERE size > $4
			RETURNING id),
		filled AS (
			INSERT INTO shard_members (shard, members) SELECT new.id, old.members[$4 + 1:] FROM new, old),
		carried AS (
			UPDATE delivery d SET shard = new.id FROM new, old
			WHERE d.fanout = old.fanout AND d.member = ANY (old.members[$4 + 1:]) AND d.shard = old.id)
		SELECT count(*) FROM old`

// partShard leaves a shard that a node holds its first members, and none of its list's line, and makes a shard
// of the others that is ready at once. It returns false where the node does not hold it any more.
func partShard(ctx context.Context, q querier, node int64, c *claim, first int32) (ours bool, err error) {
	var n int
	if err := q.QueryRow(ctx, sqlPart, node, c.ID, c.Epoch, first).Scan(&n); err != nil {
		return false, fmt.Errorf("parting shard %d: %w", c.ID, err)
	}
	return n == 1, nil
}
