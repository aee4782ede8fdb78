package fanout

import (
	"context"
	"encoding/json"
	"fmt"
)

// estimateRows is how many rows of each kind are read to say how many copies wait: of shards with a
// few hundred members each, some twenty million copies.
const estimateRows = 50_000

const (
	openShards     = `FROM shard WHERE state IN ('queued', 'ready', 'claimed', 'held', 'aside') AND NOT retry`
	deferredCopies = `FROM delivery WHERE state = 'deferred'`
	sqlEstimate    = `
		WITH s AS (SELECT size - done AS n ` + openShards + ` LIMIT $1), d AS (SELECT ` + deferredCopies + ` LIMIT $1)
		SELECT a.rows, COALESCE(a.copies, 0), b.rows
		FROM (SELECT count(*) AS rows, sum(n) AS copies FROM s) a, (SELECT count(*) AS rows FROM d) b`
)

// estimateWaiting says how many copies wait, first attempts and deferred ones: exactly while limit
// rows of each kind hold them, and beyond that by how many rows the planner thinks there are. What is
// not planned is not known to be so many copies, and not among them: it would have to be counted.
func estimateWaiting(ctx context.Context, q querier, limit int64) (int64, error) {
	var shards, copies, deferred int64
	if err := q.QueryRow(ctx, sqlEstimate, limit).Scan(&shards, &copies, &deferred); err != nil {
		return 0, fmt.Errorf("copies that wait: %w", err)
	}
	if shards == limit {
		rows, err := planned(ctx, q, `EXPLAIN (FORMAT JSON) SELECT `+openShards)
		if err != nil {
			return 0, err
		}
		copies = int64(float64(copies) * max(rows/float64(limit), 1))
	}
	if deferred == limit {
		rows, err := planned(ctx, q, `EXPLAIN (FORMAT JSON) SELECT `+deferredCopies)
		if err != nil {
			return 0, err
		}
		deferred = max(deferred, int64(rows))
	}
	return copies + deferred, nil
}

// planned is how many rows the planner thinks a query has.
func planned(ctx context.Context, q querier, explain string) (float64, error) {
	var text []byte
	if err := q.QueryRow(ctx, explain).Scan(&text); err != nil {
		return 0, fmt.Errorf("estimate of what waits: %w", err)
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		} `json:"Plan"`
	}
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		return 0, fmt.Errorf("estimate of what waits: %d plans, %w", len(plans), err)
	}
	return plans[0].Plan.Rows, nil
}
