package fanout

import (
	"context"
	"fmt"
	"time"
)

// policyRow is a policy as it is stored.
type policyRow struct {
	ID   string
	Mode string
	MX   []string `db:"mx"`
	Life time.Duration
	Left time.Duration // that it is good for
}

// selectPolicy reads the policy of a domain that is good now; one with the mode stsNone if there is none.
func selectPolicy(ctx context.Context, q querier, domain string) (p stsPolicy, left time.Duration, err error) {
	rows, err := collect[policyRow](ctx, q, `
		SELECT id, mode, mx, life, EXTRACT(epoch FROM until - now())::float8 * interval '1 second' AS left
		FROM sts_policy WHERE domain = $1 AND until > now()`, domain)
	if err != nil {
		return p, 0, fmt.Errorf("MTA-STS policy of %s: %w", domain, err)
	}
	for _, r := range rows {
		// One that is good for longer than it says was read when the clock was ahead.
		return stsPolicy{id: r.ID, mode: stsMode(r.Mode), mx: r.MX, life: r.Life}, min(r.Left, r.Life), nil
	}
	return p, 0, nil
}

// savePolicy stores a policy that was read just now. One that asks for nothing ends the one there was.
func savePolicy(ctx context.Context, q querier, domain string, p *stsPolicy) error {
	var err error
	if p.mode == stsNone {
		_, err = q.Exec(ctx, `DELETE FROM sts_policy WHERE domain = $1`, domain)
	} else {
		_, err = q.Exec(ctx, `
			INSERT INTO sts_policy (domain, id, mode, mx, life, until)
			VALUES ($1, $2, $3, $4, $5::interval, now() + $5::interval)
			ON CONFLICT (domain) DO UPDATE SET id = EXCLUDED.id, mode = EXCLUDED.mode, mx = EXCLUDED.mx,
				life = EXCLUDED.life, until = EXCLUDED.until`, domain, p.id, string(p.mode), p.mx, p.life)
	}
	if err != nil {
		return fmt.Errorf("MTA-STS policy of %s: %w", domain, err)
	}
	return nil
}

// prunePolicies deletes policies that are not good any more, and of more than most those that end first.
func prunePolicies(ctx context.Context, q querier, most int) (int64, error) {
	tag, err := q.Exec(ctx, `
		DELETE FROM sts_policy WHERE until <= now()
			OR domain IN (SELECT domain FROM sts_policy ORDER BY until DESC, domain OFFSET $1)`, most)
	if err != nil {
		return 0, fmt.Errorf("MTA-STS policies: %w", err)
	}
	return tag.RowsAffected(), nil
}
