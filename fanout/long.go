package fanout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"muster/lists/dkim"
	"muster/lists/edit"
	"muster/smtp/smtpclient"
)

// longText is text in a file that has no name any more, so that a crash leaves nothing behind. Any
// number of connections read it at once, each a piece at a time.
type longText struct {
	file *os.File
	size int64
}

// diskError is trouble with the file of a long message. The message itself is in the database, so its
// copies wait and it is composed again.
type diskError struct{ error }

func (d diskError) Unwrap() error { return d.error }

var errCutOff = errors.New("the file has become shorter than what was written to it")

func isDisk(err error) bool {
	var d diskError
	return errors.As(err, &d)
}

func newLongText(dir string) (*longText, error) {
	f, err := os.CreateTemp(dir, "muster-copy-*")
	if err != nil {
		return nil, diskError{err}
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, diskError{err}
	}
	return &longText{file: f}, nil
}

func (t *longText) append(text smtpclient.Text) error {
	n, err := t.file.Write(text)
	t.size += int64(n)
	if err != nil {
		return diskError{err}
	}
	return nil
}

// open reads it from the beginning.
func (t *longText) open() io.Reader { return &longReader{text: t} }

func (t *longText) close() { _ = t.file.Close() } // nothing in it is wanted any more

type longReader struct {
	text *longText
	at   int64
}

// Read reads what was written and no less: a file that ends before is an error like any other.
func (r *longReader) Read(p []byte) (int, error) {
	left := r.text.size - r.at
	if left == 0 {
		return 0, io.EOF
	}
	n, err := r.text.file.ReadAt(p[:min(int64(len(p)), left)], r.at)
	r.at += int64(n)
	switch {
	case err == io.EOF:
		err = diskError{errCutOff}
	case err != nil:
		err = diskError{err}
	}
	return n, err
}

// scribe writes the text of a long message while its pieces come.
type scribe struct {
	src   *source
	seals Sealer
	base  string
	keys  []*dkim.Key
	dir   string // of the file
	host  string // of the message

	out     *longText
	begun   []byte   // the post up to here, until its header is whole
	message *message // from then on
	stuffer smtpclient.Stuffer
	text    smtpclient.Text
	rest    *dkim.Rest // where it is signed
	cutter  *edit.Cutter
}

// open makes the file.
func (s *scribe) open() (err error) {
	if len(s.keys) > 0 {
		s.rest = dkim.NewRest()
	}
	s.out, err = newLongText(s.dir)
	return err
}

// composeLong makes the message of a post in a file. What it has in memory at a time is the header, and
// a piece of the body.
func composeLong(ctx context.Context, q querier, s *scribe) (m *message, err error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	defer func() {
		if m == nil {
			s.out.close()
		}
	}()
	if err := eachPiece(ctx, q, s.src.post, s.add); err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return s.message, nil
}

// add takes the next piece.
func (s *scribe) add(piece []byte) error {
	if s.message != nil {
		return s.body(piece)
	}
	s.begun = append(s.begun, piece...)
	if len(s.begun) < s.src.headerLen {
		return nil
	}
	return s.begin()
}

// begin writes the header, and what came of the body with it.
func (s *scribe) begin() error {
	m, after, err := composeHeader(s.src, s.begun, s.seals, s.base)
	if err != nil {
		return poison{err}
	}
	body := s.begun[s.src.headerLen:]
	s.message, s.begun, s.cutter = m, nil, s.src.edits.Cutter(int64(s.src.headerLen))
	m.long = s.out
	if err := s.write(after.Bytes()); err != nil {
		return err
	}
	return s.body(body)
}

func (s *scribe) body(piece []byte) error {
	return s.cutter.Cut(piece, func(left []byte) error {
		s.message.size += int64(len(left))
		return s.write(left)
	})
}

func (s *scribe) write(mail []byte) error {
	if s.rest != nil {
		_, _ = s.rest.Write(mail) // which does not fail
	}
	s.text = s.stuffer.Append(s.text[:0], mail)
	return s.out.append(s.text)
}

// end signs the message.
func (s *scribe) end() error {
	if s.message == nil {
		return poison{fmt.Errorf("header of %d octets in a message of %d", s.src.headerLen, len(s.begun))}
	}
	s.message.host = s.host
	s.message.mayNarrow(s.keys, s.src.signedAt(), s.dir)
	if s.rest == nil {
		return nil
	}
	if err := s.message.signRest(s.keys, s.rest, s.src.signedAt()); err != nil {
		return poison{err}
	}
	return nil
}
