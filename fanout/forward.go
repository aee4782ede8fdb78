package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
)

// composeForwarded makes the message of a notice that has a post with it, as the post came in but for a moderator's password. It is made in
// a file like any long message: what it has in memory at a time is a piece.
func composeForwarded(ctx context.Context, pool *pgxpool.Pool, s *scribe, l *library) (m *message, err error) {
	var params lists.PostForwardedParams
	if err := json.Unmarshal(s.src.notice.params, &params); err != nil {
		return nil, poison{fmt.Errorf("parameters of notice %q: %w", s.src.notice.kind, err)}
	}
	eightbit, utf8, err := selectForwarded(ctx, pool, params.Post)
	if errors.Is(err, pgx.ErrNoRows) { // it is gone for good
		return nil, poison{err}
	}
	if err != nil {
		return nil, err
	}
	h, to, text, err := noticeHead(s.src, l.mail, l.site)
	if err != nil {
		return nil, poison{err}
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	defer func() {
		if m == nil {
			s.out.close()
		}
	}()
	boundary := "=_" + s.src.notice.id // which nobody knew who wrote the post
	writeForwardedHead(h, boundary, text, utf8)
	s.cutter = s.src.edits.Cutter(0) // a notice has none
	s.message = &message{id: s.src.notice.id, long: s.out, eightbit: eightbit, utf8: utf8 || !to.ASCII()}
	if err := s.body(h.Bytes()); err != nil {
		return nil, err
	}
	attached := lists.NewDiscreet(pieceWriter(s.body))
	if err := eachPiece(ctx, pool, params.Post, func(p []byte) error { _, err := attached.Write(p); return err }); err != nil {
		return nil, err
	}
	if err := attached.Flush(); err != nil {
		return nil, err
	}
	if err := s.body([]byte("\r\n--" + boundary + "--\r\n")); err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return s.message, nil
}

// pieceWriter is a writer of those that a function takes.
type pieceWriter func(piece []byte) error

// Write is io.Writer's.
func (f pieceWriter) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeForwardedHead writes the text of the notice, and what says that a message follows (RFC 2046 §5.2.1,
// RFC 6532 §3.7).
func writeForwardedHead(h *header, boundary, text string, utf8 bool) {
	kind := "message/rfc822"
	if utf8 {
		kind = "message/global"
	}
	h.field("Content-Type", `multipart/mixed; boundary="`+boundary+`"`)
	h.WriteString("\r\n--" + boundary + "\r\n")
	writeTextHead(h)
	writeQuoted(&h.Buffer, text)
	h.WriteString("\r\n--" + boundary + "\r\n")
	h.field("Content-Type", kind)
	h.field("Content-Disposition", "attachment")
	h.WriteString("\r\n")
}
