package lists

import "context"

const domainInsert = `INSERT INTO domain (name) VALUES ($1) RETURNING id, name, created`

func insertDomain(ctx context.Context, q querier, name string) (Domain, error) {
	return collectOne[Domain](ctx, q, domainInsert, name)
}

const domainEnsure = `
WITH new AS (INSERT INTO domain (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id, name, created)
SELECT id, name, created FROM new
UNION ALL
SELECT id, name, created FROM domain WHERE name = $1
LIMIT 1`

// ensureDomain returns the domain, made now if need be.
func ensureDomain(ctx context.Context, q querier, name string) (Domain, error) {
	d, err := collectOne[Domain](ctx, q, domainEnsure, name)
	if noRows(err) { // another transaction made it after this statement began
		d, err = collectOne[Domain](ctx, q, domainEnsure, name)
	}
	return d, err
}

const domainsSelect = `
SELECT id, name, created FROM domain d
WHERE $1 OR EXISTS (
	SELECT FROM list l
	WHERE l.domain = d.id AND l.deleted IS NULL AND (l.advertised
		OR l.id IN (SELECT list FROM role WHERE key = ANY ($2))
		OR l.id IN (SELECT list FROM member WHERE key = ANY ($2) AND left_at IS NULL)))
ORDER BY name`

func selectDomains(ctx context.Context, q querier, by Actor) ([]Domain, error) {
	return collect[Domain](ctx, q, domainsSelect, by.Admin, keysOf(by))
}

// keysOf is never nil, which would be NULL.
func keysOf(by Actor) []string {
	if by.Keys == nil {
		return []string{}
	}
	return by.Keys
}

const servedSelect = `SELECT id FROM domain WHERE name = $1`

// servedDomain is the id of a domain served here; pgx.ErrNoRows if it is not.
func servedDomain(ctx context.Context, q querier, name string) (id int64, err error) {
	err = q.QueryRow(ctx, servedSelect, name).Scan(&id)
	return id, err
}
