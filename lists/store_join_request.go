package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const joinRequestColumns = `id, list AS list_id, key, address, name, language, asked, consent, consent_from, options`

const joinRequestInsert = `INSERT INTO join_request (list, key, address, name, language, consent, consent_from, options)
VALUES (@list, @key, @address, @name, @language, @consent, @consent_from, @options)
ON CONFLICT (list, key) DO NOTHING RETURNING id`

// insertJoinRequest is the id of the request that it made; 0 if there is one of this address.
func insertJoinRequest(ctx context.Context, q querier, r JoinRequest) (id int64, err error) {
	if r.Options == nil {
		r.Options = []Change{}
	}
	err = q.QueryRow(ctx, joinRequestInsert, pgx.NamedArgs{
		"list": r.ListID, "key": r.Key, "address": r.Address, "name": r.Name, "language": r.Language,
		"consent": r.Consent, "consent_from": r.ConsentFrom, "options": r.Options,
	}).Scan(&id)
	if noRows(err) {
		return 0, nil
	}
	return id, err
}

// Written as postsSelect is.
const joinRequestsSelect = `SELECT ` + joinRequestColumns + ` FROM join_request
WHERE (list, id) > ($1, $2) AND list <= $1 ORDER BY list, id LIMIT $3`

func selectJoinRequests(ctx context.Context, q querier, listID, after int64, limit int) ([]JoinRequest, error) {
	return collect[JoinRequest](ctx, q, joinRequestsSelect, listID, after, limit)
}

const joinRequestTake = `DELETE FROM join_request WHERE list = $1 AND id = $2 RETURNING ` + joinRequestColumns

func takeJoinRequest(ctx context.Context, q querier, listID, id int64) (JoinRequest, error) {
	return collectOne[JoinRequest](ctx, q, joinRequestTake, listID, id)
}
