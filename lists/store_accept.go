package lists

import (
	"context"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// standing is a list's policy now, and what an author is to it.
type standing struct {
	List      int64
	Policy    string
	Member    bool
	Moderates bool
}

const standingsSelect = `SELECT l.id AS list, l.post_policy AS policy,
	EXISTS (SELECT FROM member m WHERE m.list = l.id AND m.key = ANY ($2) AND m.left_at IS NULL) AS member,
	EXISTS (SELECT FROM role r WHERE r.list = l.id AND r.key = ANY ($2)) AS moderates
FROM list l WHERE l.id = ANY ($1) AND l.deleted IS NULL`

func selectStandings(ctx context.Context, q querier, lists []int64, keys []string) ([]standing, error) {
	return collect[standing](ctx, q, standingsSelect, lists, keys)
}

const forwardReadSelect = `SELECT EXISTS (SELECT FROM role WHERE list = $1)
	OR EXISTS (SELECT FROM person p JOIN person_address a ON a.person = p.id WHERE p.admin)`

// forwardIsRead says whether mail to a list's owners, or with list 0 to the site, would reach anybody:
// the admins stand in for a list without owners.
func forwardIsRead(ctx context.Context, q querier, list int64) (read bool, err error) {
	err = q.QueryRow(ctx, forwardReadSelect, list).Scan(&read)
	return read, err
}

// postRow is a post to be written. Without IDHash it is not looked for among those of before; with
// Raw nil its octets come after it.
type postRow struct {
	ID            uuid.UUID
	Ref           string
	List          int64 // 0: to the site
	Domain        int64
	Kind          string
	State         string
	Ruled         string // accept or hold
	Reason        string
	Trace         string // JSON
	Sender        string
	Author        string
	Authenticated bool
	MessageID     string
	Subject       string
	Size          int64
	Received      string
	EightBit      bool
	UTF8          bool
	HeaderLen     int64
	IDHash        []byte
	BodyHash      []byte
	Raw           []byte
}

// storedPost says whether a row was made, and if not, what body the message had that was first.
type storedPost struct {
	Made     bool
	BodyHash []byte
}

// All of some posts in one statement: who is first with a Message-ID writes everything, who is
// second learns the body of the first, having waited for it to commit. No two may have the same
// Message-ID in a list. Rows of seen are locked in one order, so that two statements do not wait for
// each other.
const postInsert = `
WITH p AS MATERIALIZED (
	SELECT * FROM unnest(@id::uuid[], @ref::text[], @list::bigint[], @domain::bigint[], @kind::text[], @state::text[],
		@sender::text[], @author::text[], @authenticated::bool[], @message_id::text[], @subject::text[], @size::bigint[],
		@received::text[], @eightbit::bool[], @smtputf8::bool[], @header_len::bigint[], @id_hash::bytea[], @body_hash::bytea[],
		@raw::bytea[], @ruled::text[], @reason::text[], @trace::text[])
	WITH ORDINALITY AS p(id, ref, list, domain, kind, state, sender, author, authenticated, message_id, subject, size,
		received, eightbit, smtputf8, header_len, id_hash, body_hash, raw, ruled, reason, trace, n)),
known AS (
	INSERT INTO seen AS k (list, id_hash, body_hash, post, until)
	SELECT list, id_hash, body_hash, id, now() + interval '30 days' FROM p WHERE id_hash IS NOT NULL ORDER BY list, id_hash
	ON CONFLICT (list, id_hash) DO UPDATE SET until = k.until
	RETURNING list, id_hash, post, body_hash),
made AS (
	INSERT INTO post (id, ref, list, domain, kind, state, accepted, sender, author, authenticated, message_id, subject,
		size, received, eightbit, smtputf8, header_len, ruled, reason, trace)
	SELECT p.id, p.ref, nullif(p.list, 0), nullif(p.domain, 0), p.kind, p.state,
		CASE WHEN p.state = 'accepted' THEN now() END, p.sender, p.author, p.authenticated, p.message_id, p.subject,
		p.size, p.received, p.eightbit, p.smtputf8, p.header_len, p.ruled, p.reason, p.trace::jsonb
	FROM p LEFT JOIN known k ON k.list = p.list AND k.id_hash = p.id_hash
	WHERE k.post IS NOT DISTINCT FROM p.id OR p.id_hash IS NULL
	RETURNING id),
kept AS (
	INSERT INTO post_raw (post, n, bytes) SELECT p.id, 0, p.raw FROM p JOIN made ON made.id = p.id WHERE p.raw IS NOT NULL)
SELECT made.id IS NOT NULL AS made, k.body_hash
FROM p LEFT JOIN made ON made.id = p.id LEFT JOIN known k ON k.list = p.list AND k.id_hash = p.id_hash
ORDER BY p.n`

// column is one value of each row, as a parameter: of a type that pgx encodes without reflection.
func column[T any](rows []postRow, of func(*postRow) T) pgtype.FlatArray[T] {
	all := make(pgtype.FlatArray[T], len(rows))
	for i := range rows {
		all[i] = of(&rows[i])
	}
	return all
}

func postColumnsOf(rows []postRow) pgx.NamedArgs {
	type r = postRow
	return pgx.NamedArgs{
		"id":            column(rows, func(r *r) [16]byte { return r.ID }),
		"ref":           column(rows, func(r *r) string { return r.Ref }),
		"list":          column(rows, func(r *r) int64 { return r.List }),
		"domain":        column(rows, func(r *r) int64 { return r.Domain }),
		"kind":          column(rows, func(r *r) string { return r.Kind }),
		"state":         column(rows, func(r *r) string { return r.State }),
		"sender":        column(rows, func(r *r) string { return r.Sender }),
		"author":        column(rows, func(r *r) string { return r.Author }),
		"authenticated": column(rows, func(r *r) bool { return r.Authenticated }),
		"message_id":    column(rows, func(r *r) string { return r.MessageID }),
		"subject":       column(rows, func(r *r) string { return r.Subject }),
		"size":          column(rows, func(r *r) int64 { return r.Size }),
		"received":      column(rows, func(r *r) string { return r.Received }),
		"eightbit":      column(rows, func(r *r) bool { return r.EightBit }),
		"smtputf8":      column(rows, func(r *r) bool { return r.UTF8 }),
		"header_len":    column(rows, func(r *r) int64 { return r.HeaderLen }),
		"id_hash":       column(rows, func(r *r) []byte { return r.IDHash }),
		"body_hash":     column(rows, func(r *r) []byte { return r.BodyHash }),
		"raw":           column(rows, func(r *r) []byte { return r.Raw }),
		"ruled":         column(rows, func(r *r) string { return r.Ruled }),
		"reason":        column(rows, func(r *r) string { return r.Reason }),
		"trace":         column(rows, func(r *r) string { return r.Trace }),
	}
}

// insertPosts writes rows in one statement and answers for each, in their order.
func insertPosts(ctx context.Context, q querier, rows []postRow) ([]storedPost, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	return collect[storedPost](ctx, q, postInsert, postColumnsOf(rows))
}

// copyPieces writes a raw message in pieces and returns how many octets it had.
func copyPieces(ctx context.Context, tx pgx.Tx, post uuid.UUID, r io.Reader) (int64, error) {
	p := &pieces{r: r, post: post, n: -1, buf: make([]byte, pieceSize)}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"post_raw"}, []string{"post", "n", "bytes"}, p)
	return p.octets, err
}

// pieces cuts what it reads; it is a pgx.CopyFromSource.
type pieces struct {
	r      io.Reader
	post   uuid.UUID
	n      int
	buf    []byte
	got    int
	octets int64
	err    error
}

// Next reads the next piece.
func (p *pieces) Next() bool {
	p.got, p.err = io.ReadFull(p.r, p.buf)
	if p.err == io.EOF || p.err == io.ErrUnexpectedEOF {
		p.err = nil
	}
	p.n++
	p.octets += int64(p.got)
	return p.got > 0 && p.err == nil
}

// Values is the piece as a row. The buffer is used again for the next.
func (p *pieces) Values() ([]any, error) { return []any{p.post, p.n, p.buf[:p.got]}, nil }

// Err is why reading ended before the end.
func (p *pieces) Err() error { return p.err }
