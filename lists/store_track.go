package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// reportRow is what was reported of a copy, and by what its post is found.
type reportRow struct {
	List   int64 // the member's
	Member int64
	Day    int // of the seal
	Ref    string
	IDHash []byte
	Kind   string
	Host   string
	Status string
	Text   string
}

// A report is kept where the post asked for it, went to the member's list on the day of the seal when the
// member was there, and has not been forgotten: with its shards go the reports. %post is how it is found.
const (
	reportInto = `
INSERT INTO report AS r (fanout, kind, member, host, status, text)
SELECT f.id, @kind, m.id, @host, @status, @text
FROM post p JOIN fanout f ON f.post = p.id JOIN member m ON m.id = @member AND m.list = @list
WHERE m.list = ANY (f.lists) AND m.joined <= f.accepted AND (m.left_at IS NULL OR m.left_at > f.accepted)
	AND floor(extract(epoch FROM f.accepted) / 86400) = @day AND EXISTS (SELECT FROM shard s WHERE s.fanout = f.id)
	AND `
	reportOnce = `
ON CONFLICT (fanout, kind, member) DO UPDATE
SET at = now(), host = excluded.host, status = excluded.status, text = excluded.text WHERE r.kind = 'delayed'`

	reportInsert = reportInto + `f.tracking <> 'off' AND p.ref = @ref` + reportOnce

	// The post may be of a list that the member's is in: its Message-ID is looked for in each of them.
	readReportInsert = `
WITH RECURSIVE above(list, depth) AS (
	SELECT @list::bigint, 0
	UNION
	SELECT m.list, a.depth + 1 FROM above a JOIN member m ON m.nested = a.list AND m.left_at IS NULL WHERE a.depth < 16)` +
		reportInto + `f.tracking = 'mdn' AND p.id IN (SELECT k.post FROM above a JOIN seen k ON k.list = a.list AND k.id_hash = @id_hash)` + reportOnce
)

// insertReport notes a report on the post of a ref, and says whether there was one that asked for it.
func insertReport(ctx context.Context, q querier, r reportRow) (bool, error) {
	return execReport(ctx, q, reportInsert, r)
}

// insertReadReport is insertReport for the post of a Message-ID.
func insertReadReport(ctx context.Context, q querier, r reportRow) (bool, error) {
	return execReport(ctx, q, readReportInsert, r)
}

func execReport(ctx context.Context, q querier, sql string, r reportRow) (bool, error) {
	tag, err := q.Exec(ctx, sql, pgx.NamedArgs{
		"list": r.List, "member": r.Member, "day": r.Day, "ref": r.Ref, "id_hash": r.IDHash,
		"kind": r.Kind, "host": r.Host, "status": r.Status, "text": r.Text,
	})
	return tag.RowsAffected() > 0, err
}
