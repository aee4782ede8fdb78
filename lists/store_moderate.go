package lists

import (
	"context"
	"time"

	"github.com/google/uuid"

	"muster/lists/edit"
)

// claimLife is how long a claim counts, which postColumns has as claimOpen.
const (
	claimLife = time.Hour
	claimOpen = `claimed > now() - interval '1 hour'`
)

const postHold = `UPDATE post SET state = 'held', held = now(), accepted = NULL
WHERE id = $1 AND kind = 'post' AND state = 'accepted' AND planned IS NULL RETURNING ` + postColumns

// holdPost takes a post out of the queue, if it still is in it: whoever plans it locks the row.
func holdPost(ctx context.Context, q querier, id uuid.UUID) (Post, error) {
	return collectOne[Post](ctx, q, postHold, id)
}

const claimUpdate = `UPDATE post SET claimed_by = nullif($2, ''), claimed = CASE WHEN $2 <> '' THEN now() END
WHERE id = $1 RETURNING ` + postColumns

func updateClaim(ctx context.Context, q querier, id uuid.UUID, who string) (Post, error) {
	return collectOne[Post](ctx, q, claimUpdate, id, who)
}

const editsUpdate = `UPDATE post SET edits = $2, subject = $3 WHERE id = $1 RETURNING ` + postColumns

func updateEdits(ctx context.Context, q querier, p Post, edits edit.Edits) (Post, error) {
	return collectOne[Post](ctx, q, editsUpdate, p.ID, edits, p.Subject)
}

const trustedInsert = `WITH told AS (UPDATE list SET trusts = true WHERE id = $1 AND NOT trusts)
INSERT INTO trusted (list, key, address, by) VALUES ($1, $2, $3, $4) ON CONFLICT (list, key) DO NOTHING`

// insertTrusted also has the list know that there is somebody to look for.
func insertTrusted(ctx context.Context, q querier, list int64, t Trusted) error {
	_, err := q.Exec(ctx, trustedInsert, list, t.Key, t.Address, t.By)
	return err
}

const trustedSelect = `SELECT key, address, since, by FROM trusted WHERE list = $1 AND key > $2 ORDER BY key LIMIT $3`

func selectTrusted(ctx context.Context, q querier, list int64, after string, limit int) ([]Trusted, error) {
	return collect[Trusted](ctx, q, trustedSelect, list, after, limit)
}

func deleteTrusted(ctx context.Context, q querier, list int64, key string) (found bool, err error) {
	tag, err := q.Exec(ctx, `DELETE FROM trusted WHERE list = $1 AND key = $2`, list, key)
	return tag.RowsAffected() > 0, err
}

func selectCanned(ctx context.Context, q querier, list int64) ([]Canned, error) {
	return collect[Canned](ctx, q, `SELECT name, text FROM canned WHERE list = $1 ORDER BY name`, list)
}

const cannedUpsert = `INSERT INTO canned (list, name, text)
SELECT $1, $2, $3 WHERE (SELECT count(*) FROM canned WHERE list = $1 AND name <> $2) < $4
ON CONFLICT (list, name) DO UPDATE SET text = excluded.text`

// upsertCanned says whether there was room for the answer.
func upsertCanned(ctx context.Context, q querier, list int64, c Canned, most int) (made bool, err error) {
	tag, err := q.Exec(ctx, cannedUpsert, list, c.Name, c.Text, most)
	return tag.RowsAffected() > 0, err
}

func deleteCanned(ctx context.Context, q querier, list int64, name string) (found bool, err error) {
	tag, err := q.Exec(ctx, `DELETE FROM canned WHERE list = $1 AND name = $2`, list, name)
	return tag.RowsAffected() > 0, err
}
