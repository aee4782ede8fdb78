package fanout

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// makeDue makes some deferred copies of a part of the queue due that are not yet. Rows are locked
// as expireDeliveries locks them.
func makeDue(ctx context.Context, q querier, s Selection, limit int) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH later AS MATERIALIZED (
			SELECT d.fanout, d.member FROM delivery d
			JOIN fanout f ON f.id = d.fanout JOIN destination x ON x.id = d.dest
			WHERE d.state = 'deferred' AND d.shard IS NULL AND d.due > now()
				AND ($1 = 0 OR f.list = $1) AND ($2 = '' OR x.name = $2) AND ($3::uuid IS NULL OR f.post = $3)
			ORDER BY d.fanout, d.member LIMIT $4 FOR UPDATE OF d SKIP LOCKED)
		UPDATE delivery d SET due = now() FROM later
		WHERE d.fanout = later.fanout AND d.member = later.member`,
		s.List, s.Destination, s.post(), limit)
	if err != nil {
		return 0, fmt.Errorf("making deferred copies due: %w", err)
	}
	return tag.RowsAffected(), nil
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
			ORDER BY x.id FOR UPDATE)
		UPDATE destination x SET blocked = NULL FROM waiting WHERE x.id = waiting.id`,
		s.List, s.Destination, s.post())
	if err != nil {
		return 0, fmt.Errorf("unblocking destinations: %w", err)
	}
	return tag.RowsAffected(), nil
}

// post is null where no post is selected.
func (s Selection) post() *uuid.UUID {
	if s.Post == uuid.Nil {
		return nil
	}
	return &s.Post
}
