package lists

import (
	"context"
	"fmt"
)

const dkimColumns = `k.id, d.name AS domain, k.selector, k.algorithm, k.state, k.record, k.created, k.activated, k.retired,
	k.state = 'active' AND NOT EXISTS (SELECT FROM dkim_key n WHERE n.domain = k.domain AND n.algorithm = k.algorithm
		AND n.state = 'active' AND (n.activated, n.id) > (k.activated, k.id)) AS signs`

const dkimOfDomain = `SELECT ` + dkimColumns + ` FROM dkim_key k JOIN domain d ON d.id = k.domain
WHERE k.domain = $1 ORDER BY k.id`

// selectDKIMKeys are a domain's keys in the order they were made.
func selectDKIMKeys(ctx context.Context, q querier, domain int64) ([]DKIMKey, error) {
	return collect[DKIMKey](ctx, q, dkimOfDomain, domain)
}

const dkimPublished = `SELECT ` + dkimColumns + ` FROM dkim_key k JOIN domain d ON d.id = k.domain
WHERE k.state = 'published' ORDER BY k.id`

// selectPublishedKeys are the keys whose record was not seen yet.
func selectPublishedKeys(ctx context.Context, q querier) ([]DKIMKey, error) {
	return collect[DKIMKey](ctx, q, dkimPublished)
}

// lockDomain keeps others from changing the domain's keys meanwhile; pgx.ErrNoRows if it is not
// served here.
func lockDomain(ctx context.Context, q querier, name string) (id int64, err error) {
	err = q.QueryRow(ctx, `SELECT id FROM domain WHERE name = $1 FOR UPDATE`, name).Scan(&id)
	return id, err
}

func insertDKIMKey(ctx context.Context, q querier, domain int64, k newDKIMKey) error {
	_, err := q.Exec(ctx, `INSERT INTO dkim_key (domain, selector, algorithm, private, record) VALUES ($1, $2, $3, $4, $5)`,
		domain, k.selector, string(k.algorithm), k.private, k.record)
	return err
}

// activateDKIMKey lets a published key sign. It says whether it was one.
func activateDKIMKey(ctx context.Context, q querier, id int64) (bool, error) {
	tag, err := q.Exec(ctx, `UPDATE dkim_key SET state = 'active', activated = clock_timestamp() WHERE id = $1 AND state = 'published'`, id)
	return tag.RowsAffected() == 1, err
}

// retireDKIMKey throws a key away and keeps its name.
func retireDKIMKey(ctx context.Context, q querier, id int64) error {
	_, err := q.Exec(ctx, `UPDATE dkim_key SET state = 'retired', retired = now(), private = '' WHERE id = $1`, id)
	return err
}

const dkimSigning = `
SELECT DISTINCT ON (k.algorithm) k.selector, k.private
FROM dkim_key k JOIN domain d ON d.id = k.domain
WHERE d.name = $1 AND k.state = 'active'
ORDER BY k.algorithm DESC, k.activated DESC, k.id DESC`

// privateKey is a key that signs. It goes no further than to its parser.
type privateKey struct {
	Selector string
	Private  []byte
}

// selectSigningKeys are the newest active keys of a domain, one an algorithm.
func selectSigningKeys(ctx context.Context, q querier, domain string) ([]privateKey, error) {
	found, err := collect[privateKey](ctx, q, dkimSigning, domain)
	if err != nil {
		return nil, fmt.Errorf("DKIM keys of %s: %w", domain, err)
	}
	return found, nil
}
