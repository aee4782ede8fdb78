package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const banColumns = `list AS list_id, pattern, action, note, actor, at`

const banInsert = `INSERT INTO ban (list, pattern, action, note, actor) VALUES (@list, @pattern, @action, @note, @actor)
ON CONFLICT (list, pattern) DO UPDATE SET action = excluded.action, note = excluded.note, actor = excluded.actor, at = now()
RETURNING ` + banColumns

func insertBan(ctx context.Context, q querier, b Ban) (Ban, error) {
	return collectOne[Ban](ctx, q, banInsert, pgx.NamedArgs{
		"list": b.ListID, "pattern": b.Pattern, "action": b.Action, "note": b.Note, "actor": b.Actor,
	})
}

func deleteBan(ctx context.Context, q querier, listID int64, pattern string) (bool, error) {
	tag, err := q.Exec(ctx, `DELETE FROM ban WHERE list = $1 AND pattern = $2`, listID, pattern)
	return tag.RowsAffected() > 0, err
}

func hasBans(ctx context.Context, q querier, listID int64) (any bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ban WHERE list = $1)`, listID).Scan(&any)
	return any, err
}

const bansSelect = `SELECT ` + banColumns + ` FROM ban WHERE list = $1 AND pattern > $2 ORDER BY list, pattern LIMIT $3`

func selectBans(ctx context.Context, q querier, listID int64, after string, limit int) ([]Ban, error) {
	return collect[Ban](ctx, q, bansSelect, listID, after, limit)
}

// isRegexp is how the partial index of regular expressions says what it has.
const isRegexp = `pattern >= '^' AND pattern < '_'`

const bansOfSelect = `SELECT ` + banColumns + ` FROM (
	SELECT * FROM ban WHERE list IN (0, $1) AND pattern = ANY ($2)
	UNION ALL
	SELECT * FROM ban WHERE list IN (0, $1) AND ` + isRegexp + `) b
ORDER BY pattern LIKE '^%', list = 0, pattern`

// selectBansOf finds the bans of a list and the site that are for one of the forms, and all that have to be
// tried.
func selectBansOf(ctx context.Context, q querier, listID int64, forms []string) ([]Ban, error) {
	return collect[Ban](ctx, q, bansOfSelect, listID, forms)
}

func countBanRegexps(ctx context.Context, q querier, listID int64) (n int, err error) {
	err = q.QueryRow(ctx, `SELECT count(*) FROM ban WHERE list = $1 AND `+isRegexp, listID).Scan(&n)
	return n, err
}

const neighbourSelect = `SELECT coalesce((
	SELECT l.local || '@' || d.name FROM unnest($1::text[]) AS n(address)
	JOIN domain d ON d.name = split_part(n.address, '@', 2)
	JOIN list l ON l.domain = d.id AND l.local = split_part(n.address, '@', 1) AND l.deleted IS NULL
	JOIN member m ON m.list = l.id AND m.key = ANY ($2) AND m.left_at IS NULL
	LIMIT 1), '')`

// selectNeighbour is the address of one of the lists of which one of the keys is a member; "" for none.
func selectNeighbour(ctx context.Context, q querier, lists, keys []string) (address string, err error) {
	err = q.QueryRow(ctx, neighbourSelect, lists, keys).Scan(&address)
	return address, err
}
