package mailauth

import (
	"bytes"
	"errors"
	"strings"

	"muster/smtp"
)

const (
	// maxResults and maxProps bound what is read of a field, maxWord and maxValue the length of names and
	// values.
	maxResults = 32
	maxProps   = 16
	maxWord    = 40
	maxValue   = 256
)

var errField = errors.New("not an Authentication-Results field")

// Read reads an Authentication-Results field (RFC 8601 §2.2): who wrote it, and the results, but those that
// cannot be read. The value may be folded.
func Read(text string) (authserv string, found []Result, err error) {
	s := scanner{rest: text}
	authserv, err = s.authserv()
	if err != nil {
		return "", nil, err
	}
	for s.semicolon() && len(found) < maxResults {
		if r, ok := s.result(); ok {
			found = append(found, r)
		}
	}
	return authserv, found, nil
}

// Without is a header without the Authentication-Results fields that claim to be by a server: whoever reads
// the message must not take them for its word (RFC 8601 §5). All else stays as it is.
func Without(header []byte, authserv string) []byte {
	kept := make([]byte, 0, len(header))
	for len(header) > 0 {
		var whole []byte
		whole, header = cutField(header)
		name, value, _ := bytes.Cut(whole, []byte(":"))
		if strings.EqualFold(string(bytes.TrimRight(name, " \t")), "authentication-results") && byServer(value, authserv) {
			continue
		}
		kept = append(kept, whole...)
	}
	return kept
}

// byServer says whether a field claims to be written by the server of that authserv-id. One whose writer
// cannot be read may be anybody's, by a reader more lenient than this one.
func byServer(value []byte, authserv string) bool {
	s := scanner{rest: string(value)}
	id, err := s.authserv()
	return err != nil || sameServer(id, authserv)
}

// sameServer compares authserv-ids, which are domains nearly always.
func sameServer(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, errX := smtp.DomainKey(a)
	y, errY := smtp.DomainKey(b)
	return errX == nil && errY == nil && x == y
}

// Taken is what a server that we believe found of a message: the results of its fields in the header. Its
// word is good for the author where it says that DMARC passed, or SPF or DKIM for that very domain.
func Taken(header []byte, authserv string, author smtp.Address) Finding {
	var f Finding
	domain := authorDomain(author)
	for field := range fields(header) {
		if !isOf(field, authserv) || len(f.Results) >= maxResults {
			continue
		}
		_, found, err := Read(string(field.value))
		if err != nil {
			continue
		}
		for _, r := range found {
			f.take(r, domain)
		}
	}
	return f
}

// isOf says whether a field is one of a server that we believe, in the form every server writes it in. In
// others (the name in quotes, after a comment, in letters that look like it) it was written by somebody who
// hoped that the server in front would not know it for its own, which it removes: byServer knows them.
func isOf(f field, authserv string) bool {
	const name = "authentication-results:"
	if len(f.whole) < len(name) || !strings.EqualFold(string(f.whole[:len(name)]), name) {
		return false
	}
	id, _, _ := strings.Cut(strings.Trim(string(f.value), " \t\r\n"), ";")
	return isASCII(id) && strings.EqualFold(strings.TrimRight(id, " \t\r\n"), authserv)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// take adds a result of another server.
func (f *Finding) take(r Result, domain string) {
	if len(f.Results) >= maxResults {
		return
	}
	f.Results = append(f.Results, r)
	if policy := strings.ToLower(r.Prop("policy.dmarc")); r.Method == MethodDMARC && isPolicy(policy) {
		f.Policy = policy
	}
	property := map[string]string{MethodDMARC: "header.from", MethodSPF: "smtp.mailfrom", MethodDKIM: "header.d"}[r.Method]
	if r.Value != Pass || property == "" || domain == "" {
		return
	}
	about := r.Prop(property)
	if r.Method == MethodDKIM && about == "" {
		about = r.Prop("header.i")
	}
	about = about[strings.LastIndexByte(about, '@')+1:]
	if key, err := smtp.DomainKey(about); err == nil && key == domain {
		f.Aligned = true
	}
}

// scanner reads a field from its front.
type scanner struct{ rest string }

// space passes over white space, line ends and comments, which may stand in each other (RFC 5322 §3.2.2).
// A comment that does not end takes all that follows.
func (s *scanner) space() {
	for s.rest != "" {
		switch s.rest[0] {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		case '(':
			s.comment()
		default:
			return
		}
	}
}

func (s *scanner) comment() {
	depth := 0
	for i := 0; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				s.rest = s.rest[i+1:]
				return
			}
		}
	}
	s.rest = ""
}

// take takes a character, with the space before it, if it comes next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// run takes the characters that ok knows.
func (s *scanner) run(ok func(r rune) bool) string {
	end := strings.IndexFunc(s.rest, func(r rune) bool { return !ok(r) })
	if end < 0 {
		end = len(s.rest)
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return word
}

// keyword takes a name, in lower case.
func (s *scanner) keyword() string {
	s.space()
	word := s.run(func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	})
	if len(word) > maxWord {
		return ""
	}
	return strings.ToLower(word)
}

// quoted takes the rest of a quoted-string whose first quote is taken.
func (s *scanner) quoted() (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return b.String(), true
		case '\\':
			if i++; i < len(s.rest) {
				b.WriteByte(s.rest[i])
			}
		case '\r', '\n':
		default:
			b.WriteByte(c)
		}
	}
	s.rest = ""
	return "", false
}

// value takes a value: quoted, or what servers write without quotes, addresses and base64 among it.
func (s *scanner) value() (string, bool) {
	if s.take('"') {
		text, ok := s.quoted()
		return text, ok && len(text) <= maxValue
	}
	word := s.run(func(r rune) bool { return r > ' ' && r <= '~' && !strings.ContainsRune(`;()"`, r) })
	return word, word != "" && len(word) <= maxValue
}

// authserv takes the authserv-id and the version, which is 1.
func (s *scanner) authserv() (string, error) {
	id, ok := "", false
	if s.take('"') {
		id, ok = s.quoted()
	} else {
		id = s.run(func(r rune) bool { return isToken(r) || r > '~' })
		ok = true
	}
	if version := s.keyword(); !ok || id == "" || len(id) > maxValue || version != "" && version != "1" {
		return "", errField
	}
	if s.space(); s.rest != "" && s.rest[0] != ';' {
		return "", errField
	}
	return id, nil
}

// semicolon goes on to the next result, over what could not be read. It says whether there may be one.
func (s *scanner) semicolon() bool {
	for {
		s.space()
		switch {
		case s.rest == "":
			return false
		case s.take(';'):
			return true
		case s.take('"'):
			s.quoted()
		default:
			s.rest = s.rest[1:]
		}
	}
}

// result takes a resinfo: method, result, reason, properties.
func (s *scanner) result() (r Result, ok bool) {
	r.Method = s.keyword()
	if s.take('/') { // the version of the method
		s.keyword()
	}
	if r.Method == "" || !s.take('=') {
		return Result{}, false
	}
	r.Value = Value(s.keyword())
	if r.Value == "" {
		return Result{}, false
	}
	for {
		name := s.keyword()
		if name == "" {
			return r, true
		}
		if s.take('.') {
			name += "." + s.keyword()
		}
		if !s.take('=') {
			return r, true
		}
		text, ok := s.value()
		switch {
		case !ok:
			return r, true
		case name == "reason":
			r.Reason = text
		case strings.Contains(name, ".") && len(r.Props) < maxProps:
			r.Props = append(r.Props, Prop{name, text})
		}
	}
}
