package lists

import "context"

const siblingsReplace = `
WITH gone AS (DELETE FROM sibling WHERE list = $1 AND sibling <> ALL ($2::bigint[]))
INSERT INTO sibling (list, sibling) SELECT DISTINCT $1::bigint, id FROM unnest($2::bigint[]) AS id
ON CONFLICT DO NOTHING`

// replaceSiblings stores which siblings a list names.
func replaceSiblings(ctx context.Context, q querier, list int64, siblings []int64) error {
	_, err := q.Exec(ctx, siblingsReplace, list, siblings)
	return err
}
