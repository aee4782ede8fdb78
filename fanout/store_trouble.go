package fanout

import (
	"context"
	"fmt"
	"time"
)

// troubleRow is a destination in trouble, or one that was a moment ago.
type troubleRow struct {
	Lane     string
	Failures int
	Left     time.Duration // that it is left alone for
	Age      time.Duration // since it was said
	Reply    string
}

const sqlTroubles = `
		SELECT lane, failures, LEAST(until - now(), $1::interval) AS left, now() - said AS age, reply
		FROM trouble WHERE until > now() - $2::interval ORDER BY until DESC LIMIT $3`

// selectTroubles reads what is told of destinations in trouble, up to limit.
func selectTroubles(ctx context.Context, q querier, limit int) ([]troubleRow, error) {
	found, err := collect[troubleRow](ctx, q, sqlTroubles, longestBlock, troubleAge, limit)
	if err != nil {
		return nil, fmt.Errorf("destinations in trouble: %w", err)
	}
	return found, nil
}

// saveTrouble tells that a destination is left alone for a while.
func saveTrouble(ctx context.Context, q querier, lane string, dests []int64, t *troubleRow) error {
	_, err := q.Exec(ctx, `
		INSERT INTO trouble (lane, dests, failures, until, reply) VALUES ($1, COALESCE($2::bigint[], '{}'), $3, now() + $4::interval, $5)
		ON CONFLICT (lane) DO UPDATE SET dests = EXCLUDED.dests, failures = EXCLUDED.failures, said = EXCLUDED.said,
			until = EXCLUDED.until, reply = EXCLUDED.reply`, lane, dests, t.Failures, t.Left, t.Reply)
	if err != nil {
		return fmt.Errorf("destination %s in trouble: %w", lane, err)
	}
	return nil
}

// endTrouble tells that a destination answers again.
func endTrouble(ctx context.Context, q querier, lane string) error {
	if _, err := q.Exec(ctx, `DELETE FROM trouble WHERE lane = $1`, lane); err != nil {
		return fmt.Errorf("destination %s in trouble no more: %w", lane, err)
	}
	return nil
}
