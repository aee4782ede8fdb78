package clock

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// batch is how many rows one statement deletes: few enough that nobody waits for its locks.
const batch = 5000

// pruneSeen forgets posts whose coming again would not be noticed any more; Accept wrote until when.
func pruneSeen(ctx context.Context, pool *pgxpool.Pool) error {
	for {
		tag, err := pool.Exec(ctx, `
			DELETE FROM seen WHERE (list, id_hash) IN (
				SELECT list, id_hash FROM seen WHERE until < now() ORDER BY until LIMIT $1)`, batch)
		if err != nil {
			return fmt.Errorf("prune seen: %w", err)
		}
		if tag.RowsAffected() < batch {
			return nil
		}
	}
}
