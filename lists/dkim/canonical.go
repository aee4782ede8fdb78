package dkim

import (
	"bytes"
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

// hashBody writes a body in its relaxed form into h (RFC 6376 §3.4.4): white space at the end of a
// line goes, other white space is one space, empty lines at the end go, and what then is not empty
// ends with CRLF.
func hashBody(h hash.Hash, body []byte) {
	const chunk = 8 << 10
	out := make([]byte, 0, chunk+8)
	ends, space, text, last := 0, false, false, byte(0)
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
				out = append(out, "\r\n"...)
				if len(out) >= chunk {
					h.Write(out)
					out = out[:0]
				}
			}
			if space {
				out = append(out, ' ')
			}
			out = append(out, c)
			space, text = false, true
			if len(out) >= chunk {
				h.Write(out)
				out = out[:0]
			}
		}
	}
	if text {
		out = append(out, "\r\n"...)
	}
	h.Write(out)
}
