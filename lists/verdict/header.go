package verdict

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// fields walks the fields of a header: name as written, value unfolded (RFC 5322 §2.2.3) and
// trimmed. What is no field is passed over; the header ends at its empty line.
func fields(header []byte) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for len(header) > 0 {
			var field []byte
			field, header = cutField(header)
			if len(field) == 0 {
				return
			}
			name, value, ok := bytes.Cut(field, []byte(":"))
			if !ok {
				continue
			}
			if !yield(string(bytes.TrimRight(name, " \t")), unfold(value)) {
				return
			}
		}
	}
}

// cutField takes one field with its continuation lines, without the last line end.
func cutField(header []byte) (field, rest []byte) {
	end := 0
	for {
		i := bytes.IndexByte(header[end:], '\n')
		if i < 0 {
			return header, nil
		}
		end += i + 1
		if end >= len(header) || header[end] != ' ' && header[end] != '\t' || isEmpty(header[:end]) {
			return bytes.TrimRight(header[:end], "\r\n"), header[end:]
		}
	}
}

func isEmpty(line []byte) bool { return len(bytes.TrimRight(line, "\r\n")) == 0 }

func unfold(value []byte) string {
	s := string(value)
	if strings.Contains(s, "\n") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", ""), "\n", "")
	}
	return strings.TrimSpace(toUTF8(s))
}

// toUTF8 reads raw octets above 127 in a header as what they most likely are: UTF-8, or else
// Latin-1, which every octet is a character of.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}
