package lists

import "context"

// pruneStep is how many rows are deleted at a time.
const pruneStep = 1000

// pruneStatements delete up to $1 rows that have run out. A used token is kept for a while, so that
// a second answer can be told that it was given.
func pruneStatements() []string {
	return []string{
		`DELETE FROM token WHERE hash IN (SELECT hash FROM token WHERE expires < now() - interval '30 days' LIMIT $1)`,
		`DELETE FROM token WHERE hash IN (SELECT hash FROM token WHERE expires < now() AND used IS NULL LIMIT $1)`,
		`DELETE FROM rate WHERE key IN (SELECT key FROM rate WHERE until < now() LIMIT $1)`,
		`DELETE FROM session WHERE token_hash IN (SELECT token_hash FROM session WHERE seen < now() - interval '30 days' LIMIT $1)`,
	}
}

func prune(ctx context.Context, q querier, statement string) (rows int64, err error) {
	tag, err := q.Exec(ctx, statement, pruneStep)
	return tag.RowsAffected(), err
}
