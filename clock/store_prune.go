package clock

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// batch is how many rows one statement deletes: few enough that nobody waits for its locks.
const batch = 5000

// The statements take the batch size as their only parameter.
const (
	// A post is known again for 30 days; Accept wrote until when.
	pruneSeen = `
		DELETE FROM seen WHERE (list, id_hash) IN (
			SELECT list, id_hash FROM seen WHERE until < now() ORDER BY until LIMIT $1)`

	// Ids rise with time, so the oldest journals are found without an index on the time.
	pruneJournals = `
		DELETE FROM journal WHERE id IN (
			SELECT id FROM (SELECT id, at FROM journal ORDER BY id LIMIT $1) AS oldest
			WHERE at < now() - interval '14 days')`
)

// prune runs a statement again and again until it finds less than a batch.
func prune(pool *pgxpool.Pool, statement string) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			tag, err := pool.Exec(ctx, statement, batch)
			if err != nil {
				return fmt.Errorf("prune: %w", err)
			}
			if tag.RowsAffected() < batch {
				return nil
			}
		}
	}
}
