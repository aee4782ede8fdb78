package lists

import "context"

// siteRow is what holds for all lists.
type siteRow struct {
	Rules Choices
	Bans  bool // there are bans of the site
}

const siteSelect = `SELECT coalesce((SELECT rules::text FROM site), '') AS rules, EXISTS (SELECT FROM ban WHERE list = 0) AS bans`

func selectSite(ctx context.Context, q querier) (siteRow, error) {
	return collectOne[siteRow](ctx, q, siteSelect)
}

const siteLock = `INSERT INTO site DEFAULT VALUES ON CONFLICT (one) DO UPDATE SET one = true RETURNING rules::text`

// lockSite keeps two changes from undoing each other, and returns what is chosen.
func lockSite(ctx context.Context, q querier) (rules Choices, err error) {
	err = q.QueryRow(ctx, siteLock).Scan(&rules)
	return rules, err
}

func updateSite(ctx context.Context, q querier, rules Choices) error {
	_, err := q.Exec(ctx, `UPDATE site SET rules = $1::text::jsonb`, rules.text())
	return err
}
