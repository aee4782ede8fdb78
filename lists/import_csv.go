package lists

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Bounds on a record of a file that somebody uploads: its octets, and the lines that a quoted
// cell may go over.
const (
	maxRecord      = 64 << 10
	maxRecordLines = 100
)

var errRecordLong = errors.New("the line is too long")

// lineReader reads lines of any length up to maxRecord, with their numbers. Spreadsheets write a
// byte order mark, UTF-16 or Windows-1252; what comes out is UTF-8.
type lineReader struct {
	in      *bufio.Reader
	number  int    // of the line last read
	pending []line // read already and given back
}

type line struct {
	number int
	text   string
	err    error // errRecordLong, or nil
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(transform.NewReader(r, unicode.BOMOverride(transform.Nop)), maxRecord)}
}

// next returns the next line without its end; errRecordLong with the number of one that is too
// long, after which reading goes on; io.EOF at the end.
func (r *lineReader) next() (line, error) {
	if len(r.pending) > 0 {
		l := r.pending[0]
		r.pending = r.pending[1:]
		return l, l.err
	}
	raw, err := r.in.ReadSlice('\n')
	if err != nil && (err != io.EOF || len(raw) == 0) && err != bufio.ErrBufferFull {
		return line{}, err
	}
	r.number++
	l := line{number: r.number, text: utf8Line(bytes.TrimRight(raw, "\r\n"))}
	if err == bufio.ErrBufferFull {
		l = line{number: r.number, text: clip(l.text), err: errRecordLong}
		return l, r.skipLine()
	}
	return l, nil
}

// skipLine reads the rest of a line that is too long.
func (r *lineReader) skipLine() error {
	for {
		_, err := r.in.ReadSlice('\n')
		if err == nil || err == io.EOF {
			return errRecordLong
		}
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

func (r *lineReader) giveBack(lines []line) {
	r.pending = append(lines[:len(lines):len(lines)], r.pending...)
}

// utf8Line takes text that is not UTF-8 for Windows-1252, which old spreadsheets write.
func utf8Line(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	decoded, err := charmap.Windows1252.NewDecoder().Bytes(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return string(decoded)
}

var errQuote = errors.New("a quotation mark is not closed")

// splitRecord takes a record apart (RFC 4180 §2). It says whether a quoted cell goes on in the next
// line. A quotation mark inside a plain cell is text; text after a closing one is an error, lest a
// forgotten one swallow the lines up to the next.
func splitRecord(cells []string, text string, comma byte) (_ []string, open bool, err error) {
	for {
		text = strings.TrimLeft(text, " ")
		if !strings.HasPrefix(text, `"`) {
			end := strings.IndexByte(text, comma)
			if end < 0 {
				return append(cells, strings.TrimSpace(text)), false, nil
			}
			cells, text = append(cells, strings.TrimSpace(text[:end])), text[end+1:]
			continue
		}
		cell, rest, closed := cutQuoted(text[1:])
		if !closed {
			return nil, true, nil
		}
		cells, rest = append(cells, cell), strings.TrimLeft(rest, " ")
		if rest == "" {
			return cells, false, nil
		}
		if rest[0] != comma {
			return nil, false, errQuote
		}
		text = rest[1:]
	}
}

// cutQuoted takes a quoted cell, in which a quotation mark is written twice, off the front of text
// that follows the opening mark.
func cutQuoted(text string) (cell, rest string, closed bool) {
	end := strings.IndexByte(text, '"')
	if end >= 0 && !strings.HasPrefix(text[end+1:], `"`) {
		return text[:end], text[end+1:], true
	}
	var b strings.Builder
	for end >= 0 && strings.HasPrefix(text[end+1:], `"`) {
		b.WriteString(text[:end+1])
		text = text[end+2:]
		end = strings.IndexByte(text, '"')
	}
	if end < 0 {
		return "", "", false
	}
	b.WriteString(text[:end])
	return b.String(), text[end+1:], true
}

// record reads the cells of one record, which a quoted cell may stretch over several lines. After
// an error the lines that followed are read again, each for itself.
func (r *lineReader) record(cells []string, comma byte) (line, []string, error) {
	first, err := r.next()
	if err != nil {
		return first, nil, err
	}
	found, open, err := splitRecord(cells, first.text, comma)
	if !open {
		return first, found, err
	}
	return r.longRecord(first, cells, comma)
}

func (r *lineReader) longRecord(first line, cells []string, comma byte) (line, []string, error) {
	var more []line
	text := first.text
	for len(more) < maxRecordLines && len(text) < maxRecord {
		l, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil && err != errRecordLong {
			return first, nil, err
		}
		more = append(more, l)
		if err != nil {
			break
		}
		text += "\n" + l.text
		found, open, err := splitRecord(cells, text, comma)
		if err != nil {
			break
		}
		if !open {
			return first, found, nil
		}
	}
	r.giveBack(more)
	return first, nil, errQuote
}
