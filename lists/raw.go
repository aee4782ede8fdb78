package lists

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"muster/lists/verdict"
)

// WriteRaw writes the message of a post as it came in, piece by piece, but for a moderator's password: who
// moderates the list with it need not be the one who reads this.
func (s *Service) WriteRaw(ctx context.Context, by Actor, p Post, w io.Writer) error {
	if _, err := s.moderate(ctx, s.pool, by, p.ListID); err != nil {
		return err
	}
	out := NewDiscreet(w)
	for n := 0; ; n++ {
		piece, err := selectPiece(ctx, s.pool, p, n)
		if noRows(err) {
			if n == 0 {
				return noSuchPost()
			}
			return out.Flush()
		}
		if err != nil {
			return fmt.Errorf("piece %d of post %s: %w", n, p.ID, err)
		}
		if _, err := out.Write(piece); err != nil {
			return err
		}
	}
}

// Discreet passes on a message and leaves out the fields that hold a moderator's password. Of the header it
// holds a line at a time.
type Discreet struct {
	w        io.Writer
	line     []byte // begun, and not ended yet
	dropping bool   // the field that this line may go on with
	past     bool   // the header is over
}

// NewDiscreet writes to w. Flush is called at the end.
func NewDiscreet(w io.Writer) *Discreet { return &Discreet{w: w} }

// Write is io.Writer's.
func (d *Discreet) Write(p []byte) (int, error) {
	var out bytes.Buffer
	rest := p
	for len(rest) > 0 && !d.past {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			d.line, rest = append(d.line, rest...), nil
			break
		}
		d.line, rest = append(d.line, rest[:end]...), rest[end:]
		d.take(&out)
	}
	out.Write(rest)
	if _, err := d.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// take passes on a line of the header, or not.
func (d *Discreet) take(out *bytes.Buffer) {
	if d.line[0] != ' ' && d.line[0] != '\t' {
		name, _, ok := strings.Cut(string(d.line[:min(len(d.line), 100)]), ":")
		d.dropping = ok && verdict.IsApproval(strings.ToLower(strings.TrimRight(name, " \t")))
	}
	if d.past = len(bytes.TrimRight(d.line, "\r\n")) == 0; !d.dropping || d.past {
		out.Write(d.line)
	}
	d.line = d.line[:0]
}

// Flush passes on what no line end came after.
func (d *Discreet) Flush() error {
	var out bytes.Buffer
	if len(d.line) > 0 {
		d.take(&out)
	}
	_, err := d.w.Write(out.Bytes())
	return err
}
