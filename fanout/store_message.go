package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// sourceRow is what a fan-out sends, with the columns of a post or those of a notice.
type sourceRow struct {
	Kind       string
	Ref        string
	Tracking   string
	Verp       bool
	Accepted   time.Time
	Lists      []int64
	Post       *string
	Received   string
	AuthRes    string `db:"authres"`
	MessageID  string `db:"message_id"`
	Null       bool
	EightBit   bool `db:"eightbit"`
	UTF8       bool `db:"smtputf8"`
	HeaderLen  int  `db:"header_len"`
	Size       int64
	NoticeID   string `db:"notice_id"`
	NoticeKind string `db:"notice_kind"`
	Address    string
	Language   string
	Params     []byte
	Edits      []byte // JSON; null for what goes out as it came
	Made       time.Time
}

// selectSource reads what a fan-out sends, of a post all but its octets.
func selectSource(ctx context.Context, q querier, fanout int64) (*source, error) {
	found, err := collect[sourceRow](ctx, q, `
		SELECT COALESCE(p.kind, 'notice') AS kind, COALESCE(p.ref, '') AS ref, f.tracking, f.verp, f.accepted, f.lists, f.post::text,
			COALESCE(p.received, '') AS received, COALESCE(p.authres, '') AS authres, COALESCE(p.message_id, '') AS message_id,
			COALESCE(p.sender = '', true) AS null, COALESCE(p.eightbit, false) AS eightbit,
			COALESCE(p.smtputf8, false) AS smtputf8, COALESCE(p.header_len, 0) AS header_len, COALESCE(p.size, 0) AS size,
			COALESCE(n.id::text, '') AS notice_id, COALESCE(n.kind, '') AS notice_kind,
			COALESCE(n.address, '') AS address, COALESCE(n.language, '') AS language,
			convert_to(COALESCE(n.params, '{}')::text, 'UTF8') AS params, COALESCE(n.made, f.accepted) AS made,
			convert_to(p.edits::text, 'UTF8') AS edits
		FROM fanout f LEFT JOIN post p ON p.id = f.post LEFT JOIN notice n ON n.id = f.notice
		WHERE f.id = $1`, fanout)
	if err != nil {
		return nil, fmt.Errorf("message of fan-out %d: %w", fanout, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("fan-out %d is gone", fanout)
	}
	r := found[0]
	src := &source{
		kind: r.Kind, ref: r.Ref, tracking: r.Tracking, verp: r.Verp, accepted: r.Accepted,
		received: r.Received, authres: r.AuthRes, messageID: r.MessageID,
		null: r.Null, eightbit: r.EightBit, utf8: r.UTF8, headerLen: r.HeaderLen,
		notice: notice{id: r.NoticeID, kind: r.NoticeKind, address: r.Address, language: r.Language, params: r.Params, made: r.Made},
	}
	if r.Edits != nil {
		if err := json.Unmarshal(r.Edits, &src.edits); err != nil {
			return nil, fmt.Errorf("edits of post %s: %w", r.Ref, err)
		}
	}
	if src.lists, err = selectListNames(ctx, q, r.Lists); err != nil {
		return nil, err
	}
	if r.Post != nil {
		src.post, src.size = *r.Post, r.Size
	}
	return src, nil
}

// selectForwarded is what is to be known of a post that goes out as it came, within another message.
func selectForwarded(ctx context.Context, q querier, post string) (eightbit, utf8 bool, err error) {
	err = q.QueryRow(ctx, `SELECT eightbit, smtputf8 FROM post WHERE id = $1::uuid`, post).Scan(&eightbit, &utf8)
	if err != nil {
		return false, false, fmt.Errorf("post %s: %w", post, err)
	}
	return eightbit, utf8, nil
}

// selectListNames reads lists, in the order of ids.
func selectListNames(ctx context.Context, q querier, ids []int64) ([]listName, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	type row struct {
		ID     int64
		Local  string
		Domain string
		Name   string
	}
	rows, err := collect[row](ctx, q, `
		SELECT l.id, l.local, d.name AS domain, l.name FROM list l JOIN domain d ON d.id = l.domain
		WHERE l.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("lists of a message: %w", err)
	}
	slices.SortFunc(rows, func(a, b row) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	names := make([]listName, len(rows))
	for i, r := range rows {
		names[i] = listName{id: r.ID, local: r.Local, host: r.Domain, name: r.Name}
	}
	return names, nil
}

// selectRaw reads a message from its pieces.
func selectRaw(ctx context.Context, q querier, post string, size int64) ([]byte, error) {
	raw := make([]byte, 0, size)
	err := eachPiece(ctx, q, post, func(piece []byte) error {
		raw = append(raw, piece...)
		return nil
	})
	return raw, err
}

// eachPiece calls use with each piece of a message, which is good until use returns.
func eachPiece(ctx context.Context, q querier, post string, use func(piece []byte) error) error {
	rows, err := q.Query(ctx, `SELECT bytes FROM post_raw WHERE post = $1::uuid ORDER BY n`, post)
	if err != nil {
		return fmt.Errorf("message %s: %w", post, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := use(rows.RawValues()[0]); err != nil { // bytea in binary is the octets themselves
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("message %s: %w", post, err)
	}
	return nil
}
