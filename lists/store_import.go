package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// importStore brings batches in over one connection, which holds the temporary tables.
type importStore struct {
	conn *pgxpool.Conn
}

const (
	importTable = `CREATE TEMPORARY TABLE import_member (
	list bigint, key text COLLATE "C", address text, name text, domain text, nested bigint,
	mode text, state text, hidden boolean, own_posts boolean, language text, addressed_posts boolean,
	away_from date, away_until date
) ON COMMIT DELETE ROWS`

	importSeen = `CREATE TEMPORARY TABLE import_seen (key text COLLATE "C" PRIMARY KEY)`

	importDrop = `DROP TABLE IF EXISTS pg_temp.import_member, pg_temp.import_seen`
)

// openImport makes the tables; a dry run needs a second one to know what it would have added.
func openImport(ctx context.Context, pool *pgxpool.Pool, dry bool) (*importStore, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	s := &importStore{conn: conn}
	_, err = conn.Exec(ctx, importTable)
	if err == nil && dry {
		_, err = conn.Exec(ctx, importSeen)
	}
	if err != nil {
		s.close(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

// close gives the connection back without the tables, or gives it up.
func (s *importStore) close(ctx context.Context) {
	if _, err := s.conn.Exec(ctx, importDrop); err != nil {
		s.conn.Conn().Close(ctx)
	}
	s.conn.Release()
}

// analyze tells the planner of the rows that came: what walks an index over them next would
// otherwise be planned for the table as it was, until autovacuum comes by.
func (s *importStore) analyze(ctx context.Context) error {
	_, err := s.conn.Exec(ctx, `ANALYZE member`)
	return err
}

const importFacts = `SELECT ARRAY(SELECT name FROM domain), EXISTS (SELECT FROM tombstone WHERE list = $1)`

// selectImportFacts are the domains of ours, and whether the list has tombstones.
func selectImportFacts(ctx context.Context, q querier, listID int64) (served []string, tombs bool, err error) {
	err = q.QueryRow(ctx, importFacts, listID).Scan(&served, &tombs)
	return served, tombs, err
}

const tombstonesSelect = `SELECT key_hash, reason, at FROM tombstone WHERE list = $1 AND key_hash = ANY ($2)`

// selectTombstones finds tombstones by the hashes of keys.
func selectTombstones(ctx context.Context, q querier, listID int64, hashes [][]byte) (map[string]tombstone, error) {
	found, err := collect[tombstone](ctx, q, tombstonesSelect, listID, hashes)
	if err != nil {
		return nil, err
	}
	byHash := make(map[string]tombstone, len(found))
	for _, t := range found {
		byHash[string(t.KeyHash)] = t
	}
	return byHash, nil
}

// importTo is where a batch goes.
type importTo struct {
	list    int64
	consent consentGiven
	again   bool // tombstones go
}

const (
	importInsert = `INSERT INTO member (list, key, address, name, domain, nested, mode, state, hidden, own_posts, language, addressed_posts, away_from, away_until, consent, consent_from)
SELECT list, key, address, name, domain, nested, mode, state, hidden, own_posts, language, addressed_posts, away_from, away_until, $1, $2 FROM import_member
ON CONFLICT (list, key) WHERE left_at IS NULL DO NOTHING`

	importInsertReturning = importInsert + ` RETURNING ` + memberColumns

	importForget = `DELETE FROM tombstone WHERE list = $1 AND key_hash IN (SELECT sha256(convert_to(key, 'UTF8')) FROM import_member)`

	importAsked = `DELETE FROM join_request r USING import_member i WHERE r.list = $1 AND r.key = i.key`
)

// insert adds the rows of a batch that are not members yet, and returns how many these were. What
// tell does with them happens in the same transaction; it may be nil.
func (s *importStore) insert(ctx context.Context, batch []importRow, to importTo, tell func(querier, []Member) error) (added int, err error) {
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if err := copyBatch(ctx, tx, batch); err != nil {
			return err
		}
		if added, err = insertBatch(ctx, tx, to, tell); err != nil {
			return err
		}
		if to.again {
			if _, err := tx.Exec(ctx, importForget, to.list); err != nil {
				return fmt.Errorf("tombstones: %w", err)
			}
		}
		_, err := tx.Exec(ctx, importAsked, to.list)
		return err
	})
	return added, err
}

func insertBatch(ctx context.Context, tx pgx.Tx, to importTo, tell func(querier, []Member) error) (added int, err error) {
	if tell == nil {
		tag, err := tx.Exec(ctx, importInsert, to.consent.how, to.consent.from)
		return int(tag.RowsAffected()), err
	}
	members, err := collect[Member](ctx, tx, importInsertReturning, to.consent.how, to.consent.from)
	if err != nil {
		return 0, err
	}
	return len(members), tell(tx, members)
}

func copyBatch(ctx context.Context, tx pgx.Tx, batch []importRow) error {
	columns := []string{"list", "key", "address", "name", "domain", "nested", "mode", "state", "hidden", "own_posts", "language", "addressed_posts", "away_from", "away_until"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"import_member"}, columns, pgx.CopyFromSlice(len(batch), func(i int) ([]any, error) {
		m := &batch[i].Member
		return []any{m.ListID, m.Key, m.Address, m.Name, m.Domain, m.Nested, m.Mode, m.State, m.Hidden, m.OwnPosts, m.Language, m.AddressedPosts, m.AwayFrom, m.AwayUntil}, nil
	}))
	return err
}

// Each key is looked up for itself: a join would be planned by what is known of member, which is
// nothing yet when most of its rows came a minute ago.
const importTry = `INSERT INTO import_seen
SELECT key FROM import_member i
WHERE (SELECT true FROM member m WHERE m.list = $1 AND m.key = i.key AND m.left_at IS NULL) IS NULL
ON CONFLICT DO NOTHING`

// try returns how many rows of a batch insert would add after the batches before it.
func (s *importStore) try(ctx context.Context, listID int64, batch []importRow) (added int, err error) {
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if err := copyBatch(ctx, tx, batch); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, importTry, pgx.QueryExecModeExec, listID) // planned each time, as the table grows
		added = int(tag.RowsAffected())
		return err
	})
	return added, err
}
