package lists

import (
	"context"
	"time"
)

const rateCount = `INSERT INTO rate AS r (key, n, until) VALUES ($1, 1, now() + $2)
ON CONFLICT (key) DO UPDATE SET
	n = CASE WHEN r.until <= now() THEN 1 ELSE r.n + 1 END,
	until = CASE WHEN r.until <= now() THEN excluded.until ELSE r.until END
RETURNING n`

// countRate adds one to a counter, which begins anew when its window is over.
func countRate(ctx context.Context, q querier, key string, window time.Duration) (n int, err error) {
	err = q.QueryRow(ctx, rateCount, key, window).Scan(&n)
	return n, err
}

// selectRate is a counter as it stands, 0 when its window is over.
func selectRate(ctx context.Context, q querier, key string) (n int, err error) {
	err = q.QueryRow(ctx, `SELECT coalesce((SELECT n FROM rate WHERE key = $1 AND until > now()), 0)`, key).Scan(&n)
	return n, err
}

func clearRate(ctx context.Context, q querier, key string) error {
	_, err := q.Exec(ctx, `DELETE FROM rate WHERE key = $1`, key)
	return err
}
