package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const rightsSelect = `SELECT
	EXISTS (SELECT FROM role WHERE list = $1 AND key = ANY ($2) AND role = 'owner'),
	EXISTS (SELECT FROM role WHERE list = $1 AND key = ANY ($2) AND role = 'moderator'),
	EXISTS (SELECT FROM member WHERE list = $1 AND key = ANY ($2) AND left_at IS NULL)`

// selectRights is what the owner of the keys is to a list, apart from being an admin.
func selectRights(ctx context.Context, q querier, listID int64, keys []string) (Rights, error) {
	var r Rights
	err := q.QueryRow(ctx, rightsSelect, listID, keys).Scan(&r.Owner, &r.Moderator, &r.Member)
	return r, err
}

const rolesSelect = `SELECT list AS list_id, key, address, role FROM role WHERE list = $1 ORDER BY role DESC, key`

func selectRoles(ctx context.Context, q querier, listID int64) ([]Role, error) {
	return collect[Role](ctx, q, rolesSelect, listID)
}

const roleInsert = `INSERT INTO role (list, key, address, role) VALUES (@list, @key, @address, @role)
ON CONFLICT (list, key, role) DO UPDATE SET address = excluded.address`

func insertRole(ctx context.Context, q querier, r Role) error {
	_, err := q.Exec(ctx, roleInsert, pgx.NamedArgs{"list": r.ListID, "key": r.Key, "address": r.Address, "role": r.Role})
	return err
}

const roleDelete = `DELETE FROM role WHERE list = $1 AND key = $2 AND role = $3`

func deleteRole(ctx context.Context, q querier, r Role) (found bool, err error) {
	tag, err := q.Exec(ctx, roleDelete, r.ListID, r.Key, r.Role)
	return tag.RowsAffected() > 0, err
}
