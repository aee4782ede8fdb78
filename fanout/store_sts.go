package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// selectPolicy is the policy of a domain that some node has read; the zero entry where there is none that
// is still good.
func selectPolicy(ctx context.Context, q querier, domain string) (e stsEntry, err error) {
	var left, life time.Duration
	err = q.QueryRow(ctx, `
		SELECT id, mode, mx, life, until - now() FROM sts_policy WHERE domain = $1 AND until > now()`, domain).
		Scan(&e.policy.id, &e.policy.mode, &e.policy.mx, &life, &left)
	if errors.Is(err, pgx.ErrNoRows) {
		return stsEntry{}, nil
	}
	if err != nil {
		return stsEntry{}, fmt.Errorf("MTA-STS policy of %s: %w", domain, err)
	}
	e.policy.life, e.until = life, time.Now().Add(left)
	return e, nil
}

// savePolicy keeps a policy that was just read for all nodes, or forgets that of a domain which has none
// any more.
func savePolicy(ctx context.Context, q querier, domain string, p *stsPolicy) error {
	const forget, keep = `DELETE FROM sts_policy WHERE domain = $1`, `
		INSERT INTO sts_policy (domain, id, mode, mx, life, until) VALUES ($1, $2, $3, $4, $5::interval, now() + $5::interval)
		ON CONFLICT (domain) DO UPDATE SET id = excluded.id, mode = excluded.mode, mx = excluded.mx, life = excluded.life, until = excluded.until`
	var err error
	if p.mode == stsNone {
		_, err = q.Exec(ctx, forget, domain)
	} else {
		_, err = q.Exec(ctx, keep, domain, p.id, p.mode, p.mx, p.life)
	}
	if err != nil {
		return fmt.Errorf("MTA-STS policy of %s: %w", domain, err)
	}
	return nil
}

// prunePolicies deletes those that are good no more.
func prunePolicies(ctx context.Context, q querier) (int64, error) {
	tag, err := q.Exec(ctx, `
		DELETE FROM sts_policy WHERE domain IN (SELECT domain FROM sts_policy WHERE until < now() ORDER BY until LIMIT 1000)`)
	if err != nil {
		return 0, fmt.Errorf("old MTA-STS policies: %w", err)
	}
	return tag.RowsAffected(), nil
}
