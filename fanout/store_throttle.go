package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// lockGrant is the advisory lock under which grants are made, so that two nodes are not granted the
// same.
const lockGrant = 0x6d757374657267

// grantAsk is what a node asks for, and gives back before.
type grantAsk struct {
	node   int64
	back   int       // of what was granted
	minute time.Time // in this one
	window Rate
	keep   int // of the window, for notices
	part   int
	notice bool // one waits
}

// grantRow is what it is granted.
type grantRow struct {
	Used    int64 // of the window, with this
	Granted int64
	Kept    bool // for notices alone
	Minute  time.Time
}

const sqlGrant = `
		WITH used AS (
			SELECT COALESCE(sum(copies), 0)::bigint AS n FROM granted WHERE minute > now() - @span::interval - @slack::interval),
		may AS (
			SELECT n, @part::bigint AS part, @most::bigint - n AS whole, @most::bigint - @keep::bigint - n AS posts FROM used),
		give AS (
			SELECT n, posts <= 0 AS kept, GREATEST(0, CASE
				WHEN posts > 0 THEN LEAST(part, posts) WHEN @notice::boolean THEN LEAST(10, part, whole) END) AS granted FROM may),
		counted AS (
			INSERT INTO granted AS g (minute, node, copies)
			SELECT date_trunc('minute', now()), @node::bigint, granted FROM give WHERE granted > 0
			ON CONFLICT (minute, node) DO UPDATE SET copies = g.copies + excluded.copies),
		old AS (
			DELETE FROM granted WHERE minute < now() - @longest::interval)
		SELECT n + granted AS used, granted, kept, date_trunc('minute', now()) AS minute FROM give`

// renewGrant gives back, and takes a part of what may still go out. A minute counts until all that was
// granted in it was sent for longer ago than the window.
func renewGrant(ctx context.Context, pool *pgxpool.Pool, ask grantAsk) (grantRow, error) {
	var got []grantRow
	err := inTx(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockGrant)); err != nil {
			return err
		}
		if ask.back > 0 {
			if _, err := tx.Exec(ctx, `UPDATE granted SET copies = copies - $3 WHERE minute = $1 AND node = $2`,
				ask.minute, ask.node, int64(ask.back)); err != nil {
				return err
			}
		}
		var err error
		got, err = collect[grantRow](ctx, tx, sqlGrant, pgx.NamedArgs{
			"span": ask.window.Per, "slack": grantSlack, "longest": longestWindow + time.Hour,
			"most": int64(ask.window.N), "keep": int64(ask.keep), "part": int64(ask.part), "notice": ask.notice, "node": ask.node,
		})
		return err
	})
	if err != nil {
		return grantRow{}, fmt.Errorf("copies that may go out: %w", err)
	}
	return got[0], nil
}

// saveThrottle writes down what a node tells of its limits.
func saveThrottle(ctx context.Context, q querier, node int64, state []byte) error {
	if _, err := q.Exec(ctx, `UPDATE node SET throttle = $2::text::jsonb WHERE id = $1 AND dead IS NULL`, node, string(state)); err != nil {
		return fmt.Errorf("limits of node %d: %w", node, err)
	}
	return nil
}

// selectThrottles reads what the living nodes tell.
func selectThrottles(ctx context.Context, q querier) ([]Throttle, error) {
	type row struct{ Throttle string }
	rows, err := collect[row](ctx, q, `SELECT throttle::text AS throttle FROM node WHERE dead IS NULL AND throttle <> '{}' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("limits of nodes: %w", err)
	}
	all := make([]Throttle, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal([]byte(r.Throttle), &all[i]); err != nil {
			return nil, fmt.Errorf("limits of nodes: %w", err)
		}
	}
	return all, nil
}
