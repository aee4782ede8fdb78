package lists

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const noticeInsert = `INSERT INTO notice (id, list, kind, address, language, params)
VALUES (@id, nullif(@list, 0::bigint), @kind, @address,
	coalesce(nullif(@language, ''),
		(SELECT nullif(language, '') FROM member WHERE list = @list AND key = @key AND left_at IS NULL),
		(SELECT nullif(p.language, '') FROM person_address a JOIN person p ON p.id = a.person WHERE a.key = @key AND a.verified IS NOT NULL),
		(SELECT language FROM list WHERE id = @list), 'en'), @params)`

func insertNotice(ctx context.Context, q querier, n Notice) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, noticeInsert, pgx.NamedArgs{
		"id": id, "list": n.List, "kind": n.Kind, "address": n.Address, "key": storedAddress(n.Address).Key(), "language": n.Language, "params": n.Params,
	})
	return err
}
