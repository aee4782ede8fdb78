package fanout

import (
	"bytes"
	"mime"
	"strings"

	"muster/smtp"
)

// header builds fields. Every field we write goes through it, so that nothing from outside can end
// a line.
type header struct{ bytes.Buffer }

// field writes one field. A value may be folded by its maker with CRLF and a space, which is kept.
func (h *header) field(name, value string) {
	h.WriteString(name)
	h.WriteString(": ")
	h.WriteString(oneField(value))
	h.WriteString("\r\n")
}

// add is Write as what is left of a message is handed over.
func (h *header) add(text []byte) error {
	h.Write(text) // which does not fail
	return nil
}

// oneField takes out what would end the field: a line break that no white space follows, and
// control characters.
func oneField(v string) string {
	if strings.IndexFunc(v, isControl) < 0 {
		return v
	}
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(v, "\r\n", "\n"), "\n") {
		line = strings.Map(func(r rune) rune {
			if isControl(r) && r != '\t' {
				return -1
			}
			return r
		}, line)
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(lines) > 0 && line[0] != ' ' && line[0] != '\t' {
			line = " " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\r\n")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// maxLine is how long a line should be at most (RFC 5322 §2.1.1).
const maxLine = 78

// beside puts what follows a phrase on its line, or where that would be too long on the next.
func beside(field, phrase, rest string) string {
	if len(field)+len(": ")+len(phrase)+1+len(rest) > maxLine {
		return phrase + "\r\n " + rest
	}
	return phrase + " " + rest
}

// phrase is a name before <…> (RFC 5322 §3.2.5): its words as they are, a quoted string where they
// are not atoms, or an encoded word where they are not ASCII.
func phrase(name string) string {
	for _, r := range name {
		if r > '~' || r < ' ' {
			return mime.QEncoding.Encode("utf-8", name)
		}
	}
	if isAtoms(name) {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// isAtoms says whether a name is words of one space between that need no quotes. What looks like an
// encoded word would be read as one (RFC 2047 §5).
func isAtoms(name string) bool {
	if strings.Contains(name, "=?") {
		return false
	}
	for word := range strings.SplitSeq(name, " ") {
		if word == "" || strings.ContainsAny(word, "()<>[]:;@\\,.\"") {
			return false
		}
	}
	return true
}

// mailto is <mailto:address> with an optional subject (RFC 6068 §2).
func mailto(a smtp.Address, subject string) string {
	s := "<mailto:" + percent(a.Local) + "@" + percent(a.Domain)
	if subject != "" {
		s += "?subject=" + percent(subject)
	}
	return s + ">"
}

// percent encodes what a mailto URI or a path segment cannot hold as it is.
func percent(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+!$*"
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[s[i]>>4])
		b.WriteByte(hex[s[i]&15])
	}
	return b.String()
}

// without copies a header (with or without its empty line) and leaves out the fields whose
// lower-case names drop knows. The other lines stay byte for byte, malformed ones too.
func without(raw []byte, drop func(name string) bool) []byte {
	kept := make([]byte, 0, len(raw))
	dropping := true // a continuation of nothing would go on with the field we wrote last
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line = raw[:i+1]
		}
		raw = raw[len(line):]
		if line[0] != ' ' && line[0] != '\t' {
			name := fieldName(line)
			dropping = name != "" && drop(name)
		}
		if !dropping {
			kept = append(kept, line...)
		}
	}
	return kept
}

// has says whether a header has a field of that lower-case name.
func has(raw []byte, field string) bool {
	found := false
	without(raw, func(name string) bool {
		found = found || name == field
		return false
	})
	return found
}

// fieldName is the lower-case name of the field that begins with line, "" if none does. Space
// before the colon is obsolete but read (RFC 5322 §4.5).
func fieldName(line []byte) string {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return ""
	}
	return strings.ToLower(string(bytes.TrimRight(line[:i], " \t")))
}
