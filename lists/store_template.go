package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const (
	templateColumns = `coalesce(t.list, 0) AS list, coalesce(d.name, '') AS domain, t.kind, t.language, t.source, t.changed`

	templatesSelect = `SELECT ` + templateColumns + ` FROM template t LEFT JOIN domain d ON d.id = t.domain
WHERE coalesce(t.list, 0) = $1 AND coalesce(t.domain, 0) = $2 ORDER BY t.kind, t.language`

	templatesAtSelect = `SELECT DISTINCT ON (t.kind, t.language) ` + templateColumns + `
FROM (VALUES (1, $1::bigint, 0::bigint), (2, 0, $2), (3, 0, 0)) p (n, list, domain)
	JOIN template t ON coalesce(t.list, 0) = p.list AND coalesce(t.domain, 0) = p.domain
	LEFT JOIN domain d ON d.id = t.domain
ORDER BY t.kind, t.language, p.n`

	allTemplatesSelect = `SELECT ` + templateColumns + ` FROM template t LEFT JOIN domain d ON d.id = t.domain
WHERE t.list IS NULL OR t.list IN (SELECT id FROM list WHERE deleted IS NULL) ORDER BY t.list NULLS FIRST, d.name NULLS FIRST, t.kind, t.language`
)

func selectTemplates(ctx context.Context, q querier, p place) ([]Template, error) {
	return collect[Template](ctx, q, templatesSelect, p.List, p.Domain)
}

func selectTemplatesAt(ctx context.Context, q querier, l List) ([]Template, error) {
	return collect[Template](ctx, q, templatesAtSelect, l.ID, l.DomainID)
}

func selectAllTemplates(ctx context.Context, q querier) ([]Template, error) {
	return collect[Template](ctx, q, allTemplatesSelect)
}

const templateUpsert = `INSERT INTO template (list, domain, kind, language, source)
VALUES (nullif(@list, 0::bigint), nullif(@domain, 0::bigint), @kind, @language, @source)
ON CONFLICT (kind, language, coalesce(list, 0), coalesce(domain, 0)) DO UPDATE SET source = excluded.source, changed = now()`

func upsertTemplate(ctx context.Context, q querier, p place, t Template) error {
	_, err := q.Exec(ctx, templateUpsert, pgx.NamedArgs{
		"list": p.List, "domain": p.Domain, "kind": t.Kind, "language": t.Language, "source": t.Source,
	})
	return err
}

const templateDelete = `DELETE FROM template
WHERE kind = $1 AND language = $2 AND coalesce(list, 0) = $3 AND coalesce(domain, 0) = $4`

// deleteTemplate says whether there was one.
func deleteTemplate(ctx context.Context, q querier, p place, t Template) (gone bool, err error) {
	tag, err := q.Exec(ctx, templateDelete, pgText(t.Kind), pgText(t.Language), p.List, p.Domain)
	return tag.RowsAffected() > 0, err
}
