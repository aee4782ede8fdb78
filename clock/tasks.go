package clock

import "github.com/jackc/pgx/v5/pgxpool"

// Tasks are what Muster does by time. Their minutes differ so that they do not all start at once.
func Tasks(pool *pgxpool.Pool) []Task {
	return []Task{
		{Name: "prune-seen", Schedule: "7 * * * *", Do: prune(pool, pruneSeen)},
		{Name: "prune-tokens", Schedule: "17 * * * *", Do: prune(pool, pruneTokens)},
		{Name: "prune-sessions", Schedule: "27 * * * *", Do: prune(pool, pruneSessions)},
		{Name: "prune-rates", Schedule: "37 * * * *", Do: prune(pool, pruneRates)},
		{Name: "prune-journals", Schedule: "47 3 * * *", Do: prune(pool, pruneJournals)},
	}
}
