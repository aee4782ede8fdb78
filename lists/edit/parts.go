package edit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// Part is a part of a message that can be left out.
type Part struct {
	Name string // of the file; "" if it has none
	Type string // text/plain
	From int64  // octets of the message that it takes, its header first
	To   int64
}

// Bounds of what is taken apart. A message beyond them has no parts that can be left out.
const (
	maxParts = 1000
	maxDepth = 100
	maxHead  = 64 << 10 // of a part
	lineRoom = 4 << 10  // a longer line is no boundary, nor is what stands in it looked at
)

var errTooMany = errors.New("more parts than are taken apart")

// Parts finds the parts of a message that can be left out: attachments, and whatever is no text of the
// message. What lies in a part that is signed or encrypted as a whole stays whole, and so does a message
// within the message.
func Parts(message io.Reader) ([]Part, error) {
	w := walker{in: bufio.NewReaderSize(message, lineRoom), inHead: true}
	for {
		line, err := w.in.ReadSlice('\n')
		if len(line) > 0 {
			w.line(line)
		}
		switch {
		case w.err != nil:
			return nil, nil
		case err == io.EOF:
			w.endPart(w.at)
			return w.found, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("message: %w", err)
		}
		w.midLine = err != nil
	}
}

// enclosing is a multipart that was begun and did not end yet.
type enclosing struct {
	boundary []byte
	whole    bool // its parts are not to be left out one by one
}

// walker goes through a message line by line.
type walker struct {
	in      *bufio.Reader
	at      int64 // octets before the next line
	lineEnd int64 // of the line before: CR LF, or LF
	midLine bool  // the next line is the rest of a long one

	open   []enclosing // outermost first
	inHead bool        // of an entity
	head   []byte
	part   *Part // whose body this is; nil for the message's own text, and between parts
	start  int64 // of the entity whose header this is
	parts  int
	found  []Part
	err    error
}

func (w *walker) line(line []byte) {
	begin := w.at
	w.at += int64(len(line))
	text := bytes.TrimRight(line, "\r\n")
	if !w.midLine && w.boundary(text, begin) {
		w.lineEnd = 0
		return
	}
	w.lineEnd = int64(len(line) - len(text))
	if !w.inHead {
		return
	}
	if len(text) > 0 || w.midLine {
		if len(w.head)+len(line) <= maxHead {
			w.head = append(w.head, line...)
		}
		return
	}
	w.inHead = false
	w.entity()
}

// boundary knows the lines between parts, and where an outer part ends one within.
func (w *walker) boundary(text []byte, begin int64) bool {
	rest, ok := bytes.CutPrefix(text, []byte("--"))
	if !ok {
		return false
	}
	rest = bytes.TrimRight(rest, " \t")
	for i := len(w.open) - 1; i >= 0; i-- {
		after, ok := bytes.CutPrefix(rest, w.open[i].boundary)
		if !ok || len(after) > 0 && string(after) != "--" {
			continue
		}
		w.endPart(begin - w.lineEnd)
		w.open = w.open[:i+1]
		if len(after) > 0 {
			w.open, w.inHead = w.open[:i], false
			return true
		}
		w.inHead, w.head, w.start = true, w.head[:0], w.at
		if w.parts++; w.parts > maxParts {
			w.err = errTooMany
		}
		return true
	}
	return false
}

// endPart notes the part that ends at an octet.
func (w *walker) endPart(end int64) {
	if w.part != nil {
		w.part.To = max(end, w.part.From)
		w.found = append(w.found, *w.part)
		w.part = nil
	}
}

// entity reads a header that is whole: a multipart opens, anything else is a part.
func (w *walker) entity() {
	kind, params := contentType(fieldOf(w.head, "content-type"))
	whole := len(w.open) > 0 && w.open[len(w.open)-1].whole
	if boundary := params["boundary"]; strings.HasPrefix(kind, "multipart/") && boundary != "" {
		if len(w.open) >= maxDepth {
			w.err = errTooMany
			return
		}
		w.open = append(w.open, enclosing{
			boundary: []byte(boundary), whole: whole || kind == "multipart/signed" || kind == "multipart/encrypted",
		})
		return
	}
	if len(w.open) == 0 || whole {
		return
	}
	disposition, about := contentType(fieldOf(w.head, "content-disposition"))
	name := about["filename"]
	if name == "" {
		name = params["name"]
	}
	text := kind == "" || kind == "text/plain" || kind == "text/html"
	if text && name == "" && disposition != "attachment" {
		return
	}
	w.part = &Part{Name: decodeName(name), Type: kind, From: w.start}
}

// contentType reads a field of that form; one that cannot be read says nothing.
func contentType(value string) (kind string, params map[string]string) {
	kind, params, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", nil
	}
	return kind, params
}

// fieldOf is the value of the first field of a name, unfolded.
func fieldOf(head []byte, name string) string {
	for len(head) > 0 {
		var field []byte
		field, head = cutField(head)
		n, value, ok := bytes.Cut(field, []byte(":"))
		if ok && strings.EqualFold(strings.TrimSpace(string(n)), name) {
			return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(string(value), "\r", ""), "\n", ""))
		}
	}
	return ""
}

// decodeName resolves the encoded words in which many programs write names, although RFC 2231 has its own
// way.
func decodeName(name string) string {
	d := mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
		e, err := htmlindex.Get(charset)
		if err != nil {
			return nil, err
		}
		return e.NewDecoder().Reader(in), nil
	}}
	if decoded, err := d.DecodeHeader(name); err == nil {
		return decoded
	}
	return name
}
