package lists

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	Action        string
	Reason        string
	Trace         any
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

// All of a post in one statement: who is first with a Message-ID writes everything, who is second
// learns the body of the first, having waited for it to commit.
const postInsert = `
WITH known AS (
	INSERT INTO seen AS k (list, id_hash, body_hash, post, until)
	SELECT @list::bigint, @id_hash, @body_hash, @id::uuid, now() + interval '30 days' WHERE @id_hash::bytea IS NOT NULL
	ON CONFLICT (list, id_hash) DO UPDATE SET until = k.until
	RETURNING post, body_hash),
made AS (
	INSERT INTO post (id, ref, list, domain, kind, state, accepted, sender, author, authenticated, message_id, subject,
		size, received, eightbit, smtputf8, header_len)
	SELECT @id, @ref, nullif(@list, 0::bigint), nullif(@domain, 0::bigint), @kind, @state,
		CASE WHEN @state = 'accepted' THEN now() END, @sender, @author, @authenticated, @message_id, @subject,
		@size, @received, @eightbit, @smtputf8, @header_len
	WHERE NOT EXISTS (SELECT FROM known WHERE post IS DISTINCT FROM @id)
	RETURNING id),
raw AS (
	INSERT INTO post_raw (post, n, bytes) SELECT id, 0, @raw::bytea FROM made WHERE @raw IS NOT NULL),
decided AS (
	INSERT INTO decision (post, n, actor, action, reason, trace) SELECT id, 0, 'rules', @action, @reason, @trace FROM made)
SELECT EXISTS (SELECT FROM made), (SELECT body_hash FROM known)`

func (r *postRow) args() pgx.NamedArgs {
	return pgx.NamedArgs{
		"id": r.ID, "ref": r.Ref, "list": r.List, "domain": r.Domain, "kind": r.Kind, "state": r.State, "sender": r.Sender,
		"author": r.Author, "authenticated": r.Authenticated, "message_id": r.MessageID, "subject": r.Subject, "size": r.Size,
		"received": r.Received, "eightbit": r.EightBit, "smtputf8": r.UTF8, "header_len": r.HeaderLen, "id_hash": r.IDHash,
		"body_hash": r.BodyHash, "raw": r.Raw, "action": r.Action, "reason": r.Reason, "trace": r.Trace,
	}
}

// batcher is a pool, on which a batch is a transaction of its own, or a transaction.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// insertPosts writes rows in one round trip and answers for each.
func insertPosts(ctx context.Context, q batcher, rows []postRow) ([]storedPost, error) {
	var b pgx.Batch
	for i := range rows {
		b.Queue(postInsert, rows[i].args())
	}
	results := q.SendBatch(ctx, &b)
	stored := make([]storedPost, len(rows))
	var err error
	for i := range rows {
		if err = results.QueryRow().Scan(&stored[i].Made, &stored[i].BodyHash); err != nil {
			break
		}
	}
	return stored, errors.Join(err, results.Close())
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
