package clock

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
)

// Tasks are what Muster does by time. Their minutes differ so that they do not all start at once.
func Tasks(pool *pgxpool.Pool, service *lists.Service) []Task {
	return []Task{
		{Name: "prune-lists", Schedule: "7 * * * *", Do: func(ctx context.Context) error {
			_, err := service.Prune(ctx)
			return err
		}},
		{Name: "prune-seen", Schedule: "27 * * * *", Do: prune(pool, pruneSeen)},
		{Name: "prune-journals", Schedule: "47 * * * *", Do: prune(pool, pruneJournals)},
	}
}
