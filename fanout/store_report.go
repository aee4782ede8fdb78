package fanout

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"muster/lists/dsn"
)

// reportKinds are the kinds of a report, in the order of a copy's way.
func reportKinds() []string {
	return []string{
		dsn.ActionDelayed, dsn.ActionRelayed, dsn.ActionExpanded, dsn.ActionDelivered, dsn.ActionFailed,
		dsn.ActionDisplayed, dsn.ActionDispatched, dsn.ActionProcessed, dsn.ActionDeleted,
	}
}

// Each kind is counted by itself, one row beyond MaxCounted at most.
const sqlReportCounts = `
		SELECT k.kind, LEAST(c.n, $3) AS copies, c.n > $3 AS more
		FROM unnest($2::text[]) WITH ORDINALITY AS k(kind, place)
		CROSS JOIN LATERAL (
			SELECT count(*) AS n FROM (SELECT FROM report r WHERE r.fanout = $1 AND r.kind = k.kind LIMIT $3 + 1) x) c
		WHERE c.n > 0 ORDER BY k.place`

func selectReportCounts(ctx context.Context, q querier, fanout int64) ([]ReportCount, error) {
	counts, err := collect[ReportCount](ctx, q, sqlReportCounts, fanout, reportKinds(), int64(MaxCounted))
	if err != nil {
		return nil, fmt.Errorf("reports on fan-out %d: %w", fanout, err)
	}
	return counts, nil
}

// The kinds are named so that each is one look into the key.
const sqlReports = `
		SELECT r.at, r.kind, r.host, r.status, r.text
		FROM fanout f JOIN member m ON m.list = ANY(f.lists) AND m.key = $2
		JOIN report r ON r.fanout = f.id AND r.kind = ANY($3::text[]) AND r.member = m.id
		WHERE f.post = $1 ORDER BY r.at, array_position($3::text[], r.kind)`

func selectReports(ctx context.Context, q querier, post uuid.UUID, key string) ([]Report, error) {
	reports, err := collect[Report](ctx, q, sqlReports, post, key, reportKinds())
	if err != nil {
		return nil, fmt.Errorf("reports on the copy of %s in post %s: %w", key, post, err)
	}
	return reports, nil
}
