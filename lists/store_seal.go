package lists

import "context"

// selectSiteKeys returns the keys in the order they were made.
func selectSiteKeys(ctx context.Context, q querier) ([]siteKey, error) {
	return collect[siteKey](ctx, q, `SELECT id, secret FROM site_key ORDER BY made, id`)
}

// insertSiteKey makes a key unless another node just made it.
func insertSiteKey(ctx context.Context, q querier, k siteKey) error {
	_, err := q.Exec(ctx, `INSERT INTO site_key (id, secret) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, k.ID, k.Secret)
	return err
}

const siteKeyReplace = `INSERT INTO site_key (id, secret) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET secret = excluded.secret, made = now()`

func replaceSiteKey(ctx context.Context, q querier, k siteKey) error {
	_, err := q.Exec(ctx, siteKeyReplace, k.ID, k.Secret)
	return err
}
