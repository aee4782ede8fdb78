package smtpserver

import (
	"bufio"
	"bytes"
	"io"
)

// dotReader finds the end of a message after DATA and takes the dots away that the client put
// before lines that begin with one (RFC 5321 §4.5.2).
//
// A line ends with CR LF and in no other way, and so does the message: CR LF "." CR LF, of which the
// first CR LF may be the one that ended the DATA command. LF "." LF, LF "." CR LF, CR "." CR and
// whatever else some server may take for an end is not one (RFC 5321 §4.1.1.4). If it were one
// here, or if reading stopped at the first thing wrong, then the rest of the message would be
// obeyed as commands, and a sender could write them there: SMTP smuggling. So the reader only finds
// the end; whether what came before is acceptable is for text to say, and to be answered when the
// end has come.
type dotReader struct {
	in      *bufio.Reader
	inLine  bool // the last octet returned does not end a line
	pending int  // octets returned, to be discarded from in
}

// next returns some more of the message, good until the following call, and io.EOF at its end. A
// connection that ends before the message does is io.ErrUnexpectedEOF.
func (d *dotReader) next() ([]byte, error) {
	d.in.Discard(d.pending) // it is in the buffer
	d.pending = 0
	if !d.inLine {
		if end, err := d.startLine(); end || err != nil {
			return nil, d.failed(err)
		}
	}
	buf, err := d.some()
	if err != nil {
		return nil, d.failed(err)
	}
	if i := bytes.Index(buf, []byte("\r\n.")); i >= 0 {
		buf = buf[:i+2]
	} else if n := len(buf); buf[n-1] == '\r' {
		buf = buf[:n-1] // its LF may be on its way: some sees to it that another octet was there
	}
	d.inLine = !bytes.HasSuffix(buf, []byte("\r\n"))
	d.pending = len(buf)
	return buf, nil
}

// startLine looks for a dot at the beginning of a line: it is the end, or it goes.
func (d *dotReader) startLine() (end bool, err error) {
	first, err := d.in.Peek(1)
	if err != nil || first[0] != '.' {
		return false, err
	}
	// Waiting for two more octets is safe: the message cannot end with less.
	three, err := d.in.Peek(3)
	if err != nil {
		return false, err
	}
	if three[1] == '\r' && three[2] == '\n' {
		d.in.Discard(3) // as above
		return true, nil
	}
	d.in.Discard(1) // as above
	return false, nil
}

// some returns what has arrived: at least one octet, and at least two if the first is a CR, so
// that a CR LF is never cut in two.
func (d *dotReader) some() ([]byte, error) {
	want := 1
	first, err := d.in.Peek(1)
	if err == nil && first[0] == '\r' {
		want = 2
		_, err = d.in.Peek(2)
	}
	if err != nil {
		return nil, err
	}
	return d.in.Peek(max(want, d.in.Buffered()))
}

// failed is the error for the caller: no error at this place means the end of the message.
func (d *dotReader) failed(err error) error {
	switch err {
	case nil:
		return io.EOF
	case io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
