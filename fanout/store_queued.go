package fanout

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Both read in the order of an index of what waits, from an entry on.
const (
	sqlQueuedShards = `
		SELECT COALESCE(f.post, ` + noPost + `) AS post, COALESCE(l.local || '@' || o.name, '') AS list, x.name AS destination,
			CASE WHEN s.given_up <> '' THEN 'dropped' WHEN s.state IN ('queued', 'ready') AND ` + heldShard + ` THEN 'held' ELSE s.state END AS state,
			(s.size - s.done)::bigint AS copies, f.accepted, '' AS address, 0 AS attempts,
			'epoch'::timestamptz AS due, '' AS host, '' AS reply, s.fanout, s.id
		FROM shard s JOIN fanout f ON f.id = s.fanout JOIN destination x ON x.id = s.dest
		LEFT JOIN list l ON l.id = f.list LEFT JOIN domain o ON o.id = l.domain
		WHERE s.state <> 'done' AND (s.fanout, s.id) > ($1, $2)
			AND ($3 = 0 OR f.list = $3) AND ($4 = '' OR x.name = $4) AND ($5::uuid IS NULL OR f.post = $5)
		ORDER BY s.fanout, s.id LIMIT $6`
	sqlQueuedCopies = `
		SELECT COALESCE(f.post, ` + noPost + `) AS post, COALESCE(l.local || '@' || o.name, '') AS list, x.name AS destination,
			d.state, 1::bigint AS copies, f.accepted, COALESCE(m.address, f.addresses[-d.member], '') AS address, d.attempts,
			d.due, d.host, d.reply, d.fanout, d.member AS id
		FROM delivery d JOIN fanout f ON f.id = d.fanout JOIN destination x ON x.id = d.dest
		LEFT JOIN member m ON m.id = d.member
		LEFT JOIN list l ON l.id = f.list LEFT JOIN domain o ON o.id = l.domain
		WHERE d.state = 'deferred' AND d.shard IS NULL AND (d.fanout, d.member) > ($1, $2)
			AND ($3 = 0 OR f.list = $3) AND ($4 = '' OR x.name = $4) AND ($5::uuid IS NULL OR f.post = $5)
		ORDER BY d.fanout, d.member LIMIT $6`
)

func selectQueued(ctx context.Context, q querier, kind string, s Selection, after Queued) ([]Queued, error) {
	if after.Fanout == 0 {
		after.ID = math.MinInt64 // a notice's addressee is below zero
	}
	page, err := collect[Queued](ctx, q, kind, after.Fanout, after.ID, s.List, s.Destination, s.post(), queuedPage)
	if err != nil {
		return nil, fmt.Errorf("the queue after fan-out %d: %w", after.Fanout, err)
	}
	for i := range page {
		if page[i].Due.Unix() == 0 {
			page[i].Due = time.Time{}
		}
	}
	return page, nil
}
