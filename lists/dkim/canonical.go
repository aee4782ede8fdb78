package dkim

import (
	"bytes"
	"crypto/sha256"
	"hash"
)

// field is a header field as it stands in a message.
type field struct {
	name  []byte // as written, without the white space after it; empty where a line has no colon
	value []byte // after the colon, with its line ends
}

// line cuts the first line off a message. Lines end as the SMTP client will have them end: with
// CRLF, or a CR or LF alone, which it makes CRLF of.
func line(b []byte) (text, rest []byte) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return b, nil
	}
	end := i + 1
	if b[i] == '\r' && end < len(b) && b[end] == '\n' {
		end++
	}
	return b[:i], b[end:]
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// splitField cuts the first field, with the lines it goes on in, off a header. Lines that go on
// with nothing are a field without a name. At an empty line or the end, ok is false.
func splitField(b []byte) (f field, rest []byte, ok bool) {
	first, rest := line(b)
	if len(first) == 0 {
		return field{}, b, false
	}
	for len(rest) > 0 && isSpace(rest[0]) {
		_, rest = line(rest)
	}
	whole := b[:len(b)-len(rest)]
	if i := bytes.IndexByte(first, ':'); i > 0 && !isSpace(first[0]) {
		f = field{name: bytes.TrimRight(first[:i], " \t"), value: whole[i+1:]}
	}
	return f, rest, true
}

// splitMessage cuts a message into the fields that have a name and the body.
func splitMessage(b []byte) (fields []field, body []byte) {
	for {
		f, rest, ok := splitField(b)
		if !ok {
			break
		}
		if len(f.name) > 0 {
			fields = append(fields, f)
		}
		b = rest
	}
	_, body = line(b)
	return fields, body
}

// appendRelaxed appends a field in its relaxed form (RFC 6376 §3.4.2), with CRLF.
func appendRelaxed(dst []byte, f field) []byte {
	for _, c := range f.name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	dst = append(dst, ':')
	space, begun := false, false
	for _, c := range f.value {
		if isSpace(c) || c == '\r' || c == '\n' {
			space = true
			continue
		}
		if space && begun {
			dst = append(dst, ' ')
		}
		dst = append(dst, c)
		space, begun = false, true
	}
	return append(dst, "\r\n"...)
}

// bodyHash hashes a body that comes in pieces in its relaxed form (RFC 6376 §3.4.4): white space at
// the end of a line goes, other white space is one space, empty lines at the end go, and what then is
// not empty ends with CRLF.
type bodyHash struct {
	hash  hash.Hash
	out   []byte // relaxed, to be hashed
	ends  int    // line ends since the last text
	space bool   // and white space
	text  bool   // there was text
	last  byte   // octet of the piece before
}

const hashChunk = 8 << 10

func newBodyHash() *bodyHash {
	return &bodyHash{hash: sha256.New(), out: make([]byte, 0, hashChunk+8)}
}

func (b *bodyHash) write(body []byte) {
	out, ends, space, last := b.out, b.ends, b.space, b.last
	for _, c := range body {
		before := last
		last = c
		switch {
		case c == '\n' && before == '\r':
		case c == '\r' || c == '\n':
			ends++
			space = false
		case isSpace(c):
			space = true
		default:
			for ; ends > 0; ends-- {
				out = b.enough(append(out, "\r\n"...))
			}
			if space {
				out = append(out, ' ')
			}
			out = b.enough(append(out, c))
			space, b.text = false, true
		}
	}
	b.out, b.ends, b.space, b.last = out, ends, space, last
}

// enough hashes what there is, where it is enough.
func (b *bodyHash) enough(out []byte) []byte {
	if len(out) < hashChunk {
		return out
	}
	b.hash.Write(out)
	return out[:0]
}

// sum ends the body.
func (b *bodyHash) sum() []byte {
	b.hash.Write(b.out)
	if b.text {
		b.hash.Write([]byte("\r\n"))
	}
	b.out = b.out[:0]
	return b.hash.Sum(nil)
}
