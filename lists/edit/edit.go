package edit

import (
	"bytes"
	"mime"
	"slices"
	"strings"
)

// What an Edit does.
const (
	OpSubject = "subject"
	OpDrop    = "drop"
)

// Edit is one change: a subject in place of the message's, or a part that is left out.
type Edit struct {
	Op      string `json:"op"`
	Subject string `json:"subject,omitempty"`
	Name    string `json:"name,omitempty"` // of the part, for people
	From    int64  `json:"from,omitempty"` // octets of the message that the part takes
	To      int64  `json:"to,omitempty"`
}

// Edits are all changes of a message, in the order they were made.
type Edits []Edit

// Subject is the one that counts, the last; false if the message keeps its own.
func (all Edits) Subject() (string, bool) {
	for _, e := range slices.Backward(all) {
		if e.Op == OpSubject {
			return e.Subject, true
		}
	}
	return "", false
}

// Dropped says whether a part was left out.
func (all Edits) Dropped(p Part) bool {
	return slices.ContainsFunc(all, func(e Edit) bool { return e.Op == OpDrop && e.From == p.From && e.To == p.To })
}

// Header is the header of a message, up to and with its empty line, as changed.
func (all Edits) Header(header []byte) []byte {
	subject, ok := all.Subject()
	if !ok {
		return header
	}
	var out bytes.Buffer
	done := false
	for rest := header; len(rest) > 0; {
		var field []byte
		field, rest = cutField(rest)
		switch {
		case isSubject(field):
			if !done {
				out.Write(subjectField(subject))
			}
			done = true
			continue
		case len(bytes.TrimRight(field, "\r\n")) == 0 && !done: // a message without a subject gets it last
			out.Write(subjectField(subject))
			done = true
		}
		out.Write(field)
	}
	if !done {
		out.Write(subjectField(subject))
	}
	return out.Bytes()
}

func isSubject(field []byte) bool {
	name, _, ok := bytes.Cut(field, []byte(":"))
	return ok && strings.EqualFold(strings.TrimSpace(string(name)), "subject")
}

// maxWord keeps the lines of the field short: a word of the subject is not broken, its encoding is.
const maxWord = 60

// subjectField writes the field, folded (RFC 5322 §2.2.3).
func subjectField(subject string) []byte {
	var b bytes.Buffer
	b.WriteString("Subject:")
	line := b.Len()
	for _, word := range strings.Fields(mime.QEncoding.Encode("utf-8", subject)) {
		if line > len("Subject:") && line+1+len(word) > maxWord {
			b.WriteString("\r\n")
			line = 0
		}
		b.WriteString(" " + word)
		line += 1 + len(word)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// cutField takes one field with its continuation lines and its line end, or the empty line.
func cutField(header []byte) (field, rest []byte) {
	end := 0
	for {
		i := bytes.IndexByte(header[end:], '\n')
		if i < 0 {
			return header, nil
		}
		end += i + 1
		if end >= len(header) || header[end] != ' ' && header[end] != '\t' || len(bytes.TrimRight(header[:end], "\r\n")) == 0 {
			return header[:end], header[end:]
		}
	}
}

// stub stands where a part was: without any, a multipart would not be one.
const stub = "Content-Type: text/plain; charset=us-ascii\r\n\r\n"

// Cutter leaves out of a message what edits drop, piece by piece.
type Cutter struct {
	drops []Edit // in the order of the message
	at    int64
}

// Cutter is one for what comes from an octet of the message on.
func (all Edits) Cutter(at int64) *Cutter {
	c := &Cutter{at: at}
	for _, e := range all {
		if e.Op == OpDrop && e.From >= at && e.To >= e.From {
			c.drops = append(c.drops, e)
		}
	}
	slices.SortFunc(c.drops, func(x, y Edit) int { return int(min(1, max(-1, x.From-y.From))) })
	return c
}

// Cut calls use with what is left of the next piece, in order.
func (c *Cutter) Cut(piece []byte, use func([]byte) error) error {
	for len(piece) > 0 {
		if len(c.drops) == 0 {
			c.at += int64(len(piece))
			return use(piece)
		}
		drop := c.drops[0]
		if before := drop.From - c.at; before > 0 {
			n := min(before, int64(len(piece)))
			if err := use(piece[:n]); err != nil {
				return err
			}
			piece, c.at = piece[n:], c.at+n
			continue
		}
		if c.at == drop.From {
			if err := use([]byte(stub)); err != nil {
				return err
			}
		}
		n := min(max(0, drop.To-c.at), int64(len(piece)))
		piece, c.at = piece[n:], c.at+n
		if c.at >= drop.To {
			c.drops = c.drops[1:]
		}
	}
	return nil
}
