package lists

import (
	"context"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists/verdict"
)

// standing is a list's policy now, and what an author is to it.
type standing struct {
	List       int64
	Policy     string
	Rules      Choices
	Member     bool
	Moderation string
	New        bool // a member whose first posts are held
	Moderates  bool
	Trusted    bool
}

// isNew says of member m of list l whether its posts are held as a new member's.
const isNew = `(m.released < (l.rules ->> 'new_member_posts')::integer
	AND m.joined >= (l.rules ->> '` + verdict.NewSince + `')::timestamptz) IS TRUE`

// Of an author with several memberships, by several addresses, the one counts that allows the least.
const standingsSelect = `SELECT l.id AS list, l.post_policy AS policy, l.rules::text AS rules,
	m.id IS NOT NULL AS member, coalesce(m.moderation, '') AS moderation, ` + isNew + ` AS new,
	EXISTS (SELECT FROM role r WHERE r.list = l.id AND r.key = ANY ($2)) AS moderates,
	l.trusts AND EXISTS (SELECT FROM trusted t WHERE t.list = l.id AND t.key = ANY ($2)) AS trusted
FROM list l LEFT JOIN LATERAL (
	SELECT id, moderation, released, joined FROM member WHERE list = l.id AND key = ANY ($2) AND left_at IS NULL
	ORDER BY array_position(ARRAY['discard', 'reject', 'hold', '', 'accept'], moderation), released LIMIT 1) m ON true
WHERE l.id = ANY ($1) AND l.deleted IS NULL`

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
	AuthRes       string
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

// The columns of the posts that a statement writes, each an array with an element for each post.
const postArrays = `$1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bool[],
	$10::text[], $11::text[], $12::bigint[], $13::text[], $14::bool[], $15::bool[], $16::bigint[], $17::text[], $18::text[], $19::text[], $20::text[]`

const postFields = `id, ref, list, domain, kind, state, sender, author, authenticated,
	message_id, subject, size, received, eightbit, smtputf8, header_len, ruled, reason, trace, authres`

// postRows is the select list by which they become rows of post.
const postRows = `p.id, p.ref, nullif(p.list, 0), nullif(p.domain, 0), p.kind, p.state,
	CASE WHEN p.state = 'accepted' THEN now() END, p.sender, p.author, p.authenticated,
	p.message_id, p.subject, p.size, p.received, p.eightbit, p.smtputf8, p.header_len, p.ruled, p.reason, p.trace::jsonb, p.authres`

const postInto = `INSERT INTO post (id, ref, list, domain, kind, state, accepted, sender, author, authenticated,
	message_id, subject, size, received, eightbit, smtputf8, header_len, ruled, reason, trace, authres)`

const seenFor = `now() + interval '30 days'`

// Posts nobody has seen before, as nearly all are, are made; others are left out, of which another
// transaction that has not ended yet is waited for. Rows of seen are locked in one order, so that two
// statements do not wait for each other.
const freshInsert = `
WITH fresh AS (
	INSERT INTO seen (list, id_hash, body_hash, post, until)
	SELECT s.list, s.id_hash, s.body_hash, s.id, ` + seenFor + `
	FROM unnest($1::uuid[], $3::bigint[], $21::bytea[], $22::bytea[]) AS s(id, list, id_hash, body_hash)
	WHERE s.id_hash IS NOT NULL ORDER BY s.list, s.id_hash
	ON CONFLICT (list, id_hash) DO NOTHING
	RETURNING post),
kept AS (
	INSERT INTO post_raw (post, n, bytes)
	SELECT r.id, 0, r.raw FROM unnest($1::uuid[], $21::bytea[], $23::bytea[]) AS r(id, id_hash, raw)
	WHERE r.raw IS NOT NULL AND (r.id_hash IS NULL OR r.id IN (SELECT post FROM fresh)))
` + postInto + `
SELECT ` + postRows + ` FROM unnest(` + postArrays + `, $21::bytea[]) AS p(` + postFields + `, id_hash)
WHERE p.id_hash IS NULL OR p.id IN (SELECT post FROM fresh)
RETURNING id`

// Posts of which some may have been seen: who is first with a Message-ID writes everything, who is second
// learns the body of the first, having waited for it to commit. No two may have the same Message-ID in a
// list.
const postInsert = `
WITH p AS MATERIALIZED (
	SELECT * FROM unnest(` + postArrays + `, $21::bytea[], $22::bytea[], $23::bytea[])
	WITH ORDINALITY AS p(` + postFields + `, id_hash, body_hash, raw, n)),
known AS (
	INSERT INTO seen AS k (list, id_hash, body_hash, post, until)
	SELECT list, id_hash, body_hash, id, ` + seenFor + ` FROM p WHERE id_hash IS NOT NULL ORDER BY list, id_hash
	ON CONFLICT (list, id_hash) DO UPDATE SET until = k.until
	RETURNING list, id_hash, post, body_hash),
made AS (
	` + postInto + `
	SELECT ` + postRows + ` FROM p LEFT JOIN known k ON k.list = p.list AND k.id_hash = p.id_hash
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

// postArgs are the parameters of either statement.
func postArgs(rows []postRow) []any {
	type r = postRow
	return []any{
		column(rows, func(r *r) [16]byte { return r.ID }),
		column(rows, func(r *r) string { return r.Ref }),
		column(rows, func(r *r) int64 { return r.List }),
		column(rows, func(r *r) int64 { return r.Domain }),
		column(rows, func(r *r) string { return r.Kind }),
		column(rows, func(r *r) string { return r.State }),
		column(rows, func(r *r) string { return r.Sender }),
		column(rows, func(r *r) string { return r.Author }),
		column(rows, func(r *r) bool { return r.Authenticated }),
		column(rows, func(r *r) string { return r.MessageID }),
		column(rows, func(r *r) string { return r.Subject }),
		column(rows, func(r *r) int64 { return r.Size }),
		column(rows, func(r *r) string { return r.Received }),
		column(rows, func(r *r) bool { return r.EightBit }),
		column(rows, func(r *r) bool { return r.UTF8 }),
		column(rows, func(r *r) int64 { return r.HeaderLen }),
		column(rows, func(r *r) string { return r.Ruled }),
		column(rows, func(r *r) string { return r.Reason }),
		column(rows, func(r *r) string { return r.Trace }),
		column(rows, func(r *r) string { return r.AuthRes }),
		column(rows, func(r *r) []byte { return r.IDHash }),
		column(rows, func(r *r) []byte { return r.BodyHash }),
		column(rows, func(r *r) []byte { return r.Raw }),
	}
}

// insertFresh writes those rows in one statement whose Message-ID is not known, and returns the ids of
// these.
func insertFresh(ctx context.Context, pool *pgxpool.Pool, rows []postRow) (made map[uuid.UUID]bool, err error) {
	octets := 0
	for i := range rows {
		octets += len(rows[i].Raw) + len(rows[i].Received) + len(rows[i].AuthRes) + len(rows[i].Trace) + shortOctets
	}
	ids, err := querySized(ctx, pool, "insert-fresh", freshInsert, postArgs(rows), octets)
	if err != nil {
		return nil, err
	}
	made = make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		made[uuid.UUID(id[0])] = true
	}
	return made, nil
}

// shortOctets is what the other columns of a row may take as parameters.
const shortOctets = 1 << 10

// querySized asks a statement, which it prepares under a name, with parameters of so many octets or so, and
// returns the rows as they are in the protocol's binary format. pgx's Query would begin with room for 256
// octets, and copy the messages each time that more did not fit.
func querySized(ctx context.Context, pool *pgxpool.Pool, name, sql string, args []any, octets int) (rows [][][]byte, err error) {
	err = pool.AcquireFunc(ctx, func(c *pgxpool.Conn) (err error) {
		rows, err = askPrepared(ctx, c.Conn(), name, sql, args, octets)
		if sqlState(err) != sqlNoStatement {
			return err
		}
		// Somebody between us and the server has cleared the session. Nothing was executed.
		if err := c.Conn().Deallocate(ctx, name); err != nil {
			return err
		}
		rows, err = askPrepared(ctx, c.Conn(), name, sql, args, octets)
		return err
	})
	return rows, err
}

func askPrepared(ctx context.Context, c *pgx.Conn, name, sql string, args []any, octets int) ([][][]byte, error) {
	statement, err := c.Prepare(ctx, name, sql)
	if err != nil {
		return nil, err
	}
	binary := []int16{pgx.BinaryFormatCode}
	buf, values := make([]byte, 0, octets), make([][]byte, len(args))
	for i, arg := range args {
		from := len(buf)
		if buf, err = c.TypeMap().Encode(statement.ParamOIDs[i], binary[0], arg, buf); err != nil {
			return nil, err
		}
		values[i] = buf[from:]
	}
	result := c.PgConn().ExecPrepared(ctx, name, values, binary, binary).Read()
	return result.Rows, result.Err
}

// insertPosts writes rows in one statement and answers for each, in their order.
func insertPosts(ctx context.Context, q querier, rows []postRow) ([]storedPost, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	return collect[storedPost](ctx, q, postInsert, postArgs(rows)...)
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
