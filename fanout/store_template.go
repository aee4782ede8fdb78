package fanout

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/templates"
)

// selectTemplate finds the text that takes the place of ours in a notice: its list's, else the list's
// domain's, else the site's; "" where there is none. Each place is one look into an index.
func selectTemplate(ctx context.Context, pool *pgxpool.Pool, src *source) (text string, err error) {
	var list int64
	if len(src.lists) > 0 {
		list = src.lists[0].id
	}
	err = pool.QueryRow(ctx, `
		SELECT t.source FROM (VALUES (1, $1::bigint, 0::bigint), (2, 0, (SELECT domain FROM list WHERE id = $1)), (3, 0, 0)) p (n, list, domain)
			JOIN template t ON coalesce(t.list, 0) = p.list AND coalesce(t.domain, 0) = p.domain
		WHERE t.kind = $2 AND t.language = $3
		ORDER BY p.n LIMIT 1`, list, src.notice.kind, templates.Match(src.notice.language)).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("text of notice %q: %w", src.notice.kind, err)
	}
	return text, nil
}
