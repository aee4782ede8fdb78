package mailauth

import (
	"bytes"
	"iter"
	"strings"
)

// field is one field of a header, as it stands there.
type field struct {
	name  string // lower case
	value []byte // after the colon, folded, with its last line end
	whole []byte
}

// fields walks the fields of a header. What is no field is passed over.
func fields(header []byte) iter.Seq[field] {
	return func(yield func(field) bool) {
		for len(header) > 0 {
			var whole []byte
			whole, header = cutField(header)
			if len(bytes.TrimRight(whole, "\r\n")) == 0 {
				return
			}
			name, value, ok := bytes.Cut(whole, []byte(":"))
			if !ok || len(name) == 0 || name[0] == ' ' || name[0] == '\t' {
				continue
			}
			if !yield(field{strings.ToLower(string(bytes.TrimRight(name, " \t"))), value, whole}) {
				return
			}
		}
	}
}

// onlyFields says whether a header is fields and nothing else (RFC 5322 §2.2): lines that are none are taken
// for different things by different readers.
func onlyFields(header []byte) bool {
	for len(header) > 0 {
		var whole []byte
		whole, header = cutField(header)
		if len(bytes.TrimRight(whole, "\r\n")) == 0 {
			return true
		}
		name, _, ok := bytes.Cut(whole, []byte(":"))
		name = bytes.TrimRight(name, " \t") // RFC 5322 §4.5
		if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
	}
	return true
}

// cutField takes a field with the lines it goes on in off a header. An empty line goes on in none.
func cutField(header []byte) (whole, rest []byte) {
	end := 0
	for {
		i := bytes.IndexByte(header[end:], '\n')
		if i < 0 {
			return header, nil
		}
		end += i + 1
		if end == len(header) || header[end] != ' ' && header[end] != '\t' || len(bytes.TrimRight(header[:end], "\r\n")) == 0 {
			return header[:end], header[end:]
		}
	}
}

// tags reads a list of tags as DKIM and DMARC have them (RFC 6376 §3.2), the names in lower case. A tag
// that is there twice makes the list worth nothing.
func tags(text string) (map[string]string, bool) {
	found := map[string]string{}
	for tag := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(tag, "=")
		if !ok {
			continue // RFC 9989 §4.7: what is wrong is passed over
		}
		name = strings.ToLower(strings.Trim(name, " \t\r\n"))
		if _, again := found[name]; again {
			return nil, false
		}
		found[name] = strings.Trim(value, " \t\r\n")
	}
	return found, true
}

// solid is a value without white space.
func solid(value string) string { return strings.Join(strings.Fields(value), "") }
