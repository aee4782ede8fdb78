package fanout

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists"
)

// holdRefused holds the post of a fan-out, says which that is, and writes it down; false where it was
// stopped before, or is held anyway.
func holdRefused(ctx context.Context, tx pgx.Tx, fanout int64, s *lists.Stopped) (bool, error) {
	found, err := collect[struct {
		List int64
		Post uuid.UUID
	}](ctx, tx, `
		WITH f AS (
			SELECT f.list, f.post FROM fanout f
			WHERE f.id = $1 AND f.post IS NOT NULL AND f.list IS NOT NULL AND f.finished IS NULL AND NOT EXISTS (
				SELECT FROM audit a WHERE a.list = f.list AND a.action = $2 AND a.params->>'post' = f.post::text)),
		h AS (
			INSERT INTO hold (post, actor) SELECT post, $3 FROM f ON CONFLICT DO NOTHING RETURNING post)
		INSERT INTO audit (actor, action, list, params)
		SELECT $3, $2, f.list, jsonb_build_object('post', f.post, 'refused', $4::bigint, 'answered', $5::bigint) FROM f JOIN h ON h.post = f.post
		RETURNING list, (params->>'post')::uuid AS post`, fanout, actionStopped, byMuster, s.Refused, s.Answered)
	if err != nil {
		return false, fmt.Errorf("stopping fan-out %d: %w", fanout, err)
	}
	if len(found) == 0 {
		return false, nil
	}
	s.List, s.Post = found[0].List, found[0].Post
	return true, nil
}

func isStopped(ctx context.Context, q querier, post uuid.UUID) (stopped bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM hold WHERE list = 0 AND dest = 0 AND post = $1 AND actor = $2)`, post, byMuster).Scan(&stopped)
	if err != nil {
		return false, fmt.Errorf("stop of post %s: %w", post, err)
	}
	return stopped, nil
}
