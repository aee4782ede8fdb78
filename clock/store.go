package clock

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// store keeps the slots in the table clock.
type store struct{ pool *pgxpool.Pool }

func (s store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	return now, s.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
}

// Take is one statement, so that of two nodes that race the second waits for the first's row and
// then finds it changed.
func (s store) Take(ctx context.Context, task string, slot time.Time) (bool, error) {
	tag, err := s.pool.Exec(ctx, `UPDATE clock SET last_slot = $2 WHERE task = $1 AND last_slot < $2`, task, slot)
	if err != nil || tag.RowsAffected() == 1 {
		return err == nil, err
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO clock (task, last_slot) VALUES ($1, $2) ON CONFLICT DO NOTHING`, task, slot)
	return false, err
}
