package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// personRow is a person to be written.
type personRow struct {
	Key, Address, Name, Password string
	Admin                        bool
}

const personInsert = `
WITH p AS (INSERT INTO person (name, password, admin) VALUES (@name, @password, @admin) RETURNING id)
INSERT INTO person_address (key, person, address, verified) SELECT @key, id, @address, now() FROM p
RETURNING person`

func insertPerson(ctx context.Context, q querier, p personRow) (id int64, err error) {
	err = q.QueryRow(ctx, personInsert, pgx.NamedArgs{
		"key": p.Key, "address": p.Address, "name": p.Name, "password": p.Password, "admin": p.Admin,
	}).Scan(&id)
	return id, err
}

const personColumns = `p.id, p.name, p.admin, p.language, p.password <> '' AS password, p.created,
	coalesce((SELECT address FROM person_address a WHERE a.person = p.id ORDER BY a.verified, a.key LIMIT 1), '') AS address`

func selectPerson(ctx context.Context, q querier, id int64) (Person, error) {
	return collectOne[Person](ctx, q, `SELECT `+personColumns+` FROM person p WHERE p.id = $1`, id)
}

func selectPersons(ctx context.Context, q querier, after int64, limit int) ([]Person, error) {
	return collect[Person](ctx, q, `SELECT `+personColumns+` FROM person p WHERE p.id > $1 ORDER BY p.id LIMIT $2`, after, limit)
}

const passwordSelect = `SELECT p.id, p.password FROM person_address a JOIN person p ON p.id = a.person
WHERE a.key = $1 AND a.verified IS NOT NULL`

func selectPassword(ctx context.Context, q querier, key string) (person int64, hashed string, err error) {
	err = q.QueryRow(ctx, passwordSelect, key).Scan(&person, &hashed)
	return person, hashed, err
}

const passwordUpdate = `
WITH ended AS (DELETE FROM session WHERE person = $1)
UPDATE person SET password = $2 WHERE id = $1`

// updatePassword ends all sessions of the person with it.
func updatePassword(ctx context.Context, q querier, id int64, hashed string) (found bool, err error) {
	tag, err := q.Exec(ctx, passwordUpdate, id, hashed)
	return tag.RowsAffected() > 0, err
}

const personKeysSelect = `SELECT key FROM person_address WHERE person = $1 AND verified IS NOT NULL ORDER BY key`

func selectPersonKeys(ctx context.Context, q querier, id int64) ([]string, error) {
	rows, err := q.Query(ctx, personKeysSelect, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const personByKeySelect = `SELECT person FROM person_address WHERE key = $1`

func selectPersonByKey(ctx context.Context, q querier, key string) (id int64, err error) {
	err = q.QueryRow(ctx, personByKeySelect, key).Scan(&id)
	return id, err
}

func verifyAddress(ctx context.Context, q querier, key string) error {
	_, err := q.Exec(ctx, `UPDATE person_address SET verified = now() WHERE key = $1 AND verified IS NULL`, key)
	return err
}

const addressKnown = `SELECT EXISTS (SELECT FROM person_address WHERE key = $1)
	OR EXISTS (SELECT FROM role WHERE key = $1)
	OR EXISTS (SELECT FROM member WHERE key = $1 AND left_at IS NULL)`

// selectKnown says whether an address is anybody's here.
func selectKnown(ctx context.Context, q querier, key string) (known bool, err error) {
	err = q.QueryRow(ctx, addressKnown, key).Scan(&known)
	return known, err
}
