package lists

import (
	"context"

	"github.com/google/uuid"
)

// membership is a list that an address is on.
type membership struct {
	Address string // of the list
	Mode    string
	State   string
}

const membershipsSelect = `SELECT l.local || '@' || d.name AS address, m.mode, m.state
FROM member m JOIN list l ON l.id = m.list JOIN domain d ON d.id = l.domain
WHERE m.key = $1 AND m.left_at IS NULL AND l.deleted IS NULL
ORDER BY m.key, m.id LIMIT $2`

func selectMemberships(ctx context.Context, q querier, key string, limit int) ([]membership, error) {
	return collect[membership](ctx, q, membershipsSelect, key, limit)
}

// listStats are numbers of a list, each up to one beyond its bound: MaxCount posts, maxWaiting of the rest.
type listStats struct{ Posts, Held, Joins int }

const listStatsSelect = `SELECT
	(SELECT count(*) FROM (SELECT FROM post WHERE (list, id) >= ($1, $2::uuid) AND list <= $1 AND kind = 'post' AND state = 'accepted'
		ORDER BY list, id LIMIT 10001) p) AS posts,
	(SELECT count(*) FROM (SELECT FROM post WHERE list = $1 AND kind = 'post' AND state = 'held' ORDER BY list, id LIMIT 1001) h) AS held,
	(SELECT count(*) FROM (SELECT FROM join_request WHERE (list, id) > ($1, 0) AND list <= $1 ORDER BY list, id LIMIT 1001) j) AS joins`

// countListStats counts the posts with an id from since on, and what waits.
func countListStats(ctx context.Context, q querier, listID int64, since uuid.UUID) (listStats, error) {
	return collectOne[listStats](ctx, q, listStatsSelect, listID, since)
}
