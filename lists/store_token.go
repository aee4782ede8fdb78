package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// An open token of the same purpose, address and list stands in the way of another; one that has
// expired unused does not.
const (
	tokenClear = `DELETE FROM token WHERE purpose = $1 AND key = $2 AND list = $3 AND used IS NULL AND expires <= now()`

	tokenInsert = `INSERT INTO token (hash, purpose, list, key, params, expires)
VALUES (@hash, @purpose, nullif(@list, 0::bigint), @key, @params, now() + @life)
ON CONFLICT (purpose, key, list) WHERE used IS NULL DO NOTHING`
)

// insertToken says whether it made the token: false if there is an open one.
func insertToken(ctx context.Context, q querier, hash []byte, t newToken) (made bool, err error) {
	if _, err := q.Exec(ctx, tokenClear, t.Purpose, t.Key, t.List); err != nil {
		return false, err
	}
	tag, err := q.Exec(ctx, tokenInsert, pgx.NamedArgs{
		"hash": hash, "purpose": t.Purpose, "list": t.List, "key": t.Key, "params": t.Params, "life": t.Life,
	})
	return tag.RowsAffected() > 0, err
}

// deleteToken undoes insertToken.
func deleteToken(ctx context.Context, q querier, hash []byte) error {
	_, err := q.Exec(ctx, `DELETE FROM token WHERE hash = $1`, hash)
	return err
}

const tokenSelect = `SELECT purpose, list, key, params, expires <= now() AS expired, used IS NOT NULL AS used
FROM token WHERE hash = $1`

func selectToken(ctx context.Context, q querier, hash []byte) (token, error) {
	return collectOne[token](ctx, q, tokenSelect, hash)
}

func lockToken(ctx context.Context, q querier, hash []byte) (token, error) {
	return collectOne[token](ctx, q, tokenSelect+` FOR UPDATE`, hash)
}

func useToken(ctx context.Context, q querier, hash []byte) error {
	_, err := q.Exec(ctx, `UPDATE token SET used = now() WHERE hash = $1`, hash)
	return err
}

// deleteOpenToken takes away the open token that stands in the way of another.
func deleteOpenToken(ctx context.Context, q querier, t newToken) error {
	_, err := q.Exec(ctx, `DELETE FROM token WHERE purpose = $1 AND key = $2 AND list = $3 AND used IS NULL`, t.Purpose, t.Key, t.List)
	return err
}
