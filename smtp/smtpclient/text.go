package smtpclient

import "bytes"

// Text is mail text as DATA carries it: every line ends in CRLF, no other CR or LF occurs, and
// a line that begins with a dot begins with two (RFC 5321 §4.5.2). A message may be cut into
// several Texts anywhere but between those two dots. Prepare makes one from any octets; octets
// that hold no line break and do not begin a line, such as a header value, are Text as they are.
type Text []byte

// Prepare turns a message, or a piece of one that begins with a line, into Text. A bare CR or LF
// becomes CRLF, so that no server can see a line where we saw none. Where nothing is to change
// the result is mail itself, not a copy. A last line without end is left so, for the next piece
// to go on with.
func Prepare(mail []byte) Text {
	if isPrepared(mail) {
		return mail
	}
	var s Stuffer
	return s.Append(make(Text, 0, len(mail)+len(mail)/64+16), mail)
}

// isPrepared says whether b needs no change.
func isPrepared(b []byte) bool {
	for start := true; len(b) > 0; start = true {
		if start && b[0] == '.' {
			return false
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return bytes.IndexByte(b, '\r') < 0
		}
		if end == 0 || bytes.IndexByte(b[:end], '\r') != end-1 {
			return false
		}
		b = b[end+1:]
	}
	return true
}

// Stuffer makes Text of mail that arrives in pieces, cut anywhere. The zero value is one at the
// beginning of a line.
type Stuffer struct {
	inLine bool // the next octet does not begin a line
	skipLF bool // the last octet was a CR that has become CRLF already
}

// Append appends the next piece as Text.
func (s *Stuffer) Append(dst Text, src []byte) Text {
	for len(src) > 0 {
		if s.skipLF {
			s.skipLF = false
			if src[0] == '\n' {
				src = src[1:]
				continue
			}
		}
		if !s.inLine && src[0] == '.' {
			dst = append(dst, '.')
		}
		end := bytes.IndexAny(src, "\r\n")
		if end < 0 {
			s.inLine = true
			return append(dst, src...)
		}
		dst = append(dst, src[:end]...)
		dst = append(dst, "\r\n"...)
		s.inLine, s.skipLF = false, src[end] == '\r'
		src = src[end+1:]
	}
	return dst
}
