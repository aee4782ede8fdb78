package smtp

import (
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mailbox is an address with the name of whom it belongs to, as "Name <address>" writes it.
type Mailbox struct {
	Name    string // plain text in UTF-8, may be empty
	Address Address
}

// ParseMailbox reads "Name <local@domain>", "local@domain (Name)" or a bare address as people
// write them, the name quoted, encoded (RFC 2047) or plain.
func ParseMailbox(s string) (Mailbox, error) {
	s = strings.TrimSpace(s)
	if a, err := ParseAddress(s); err == nil {
		return Mailbox{Address: a}, nil
	}
	if name, addr, ok := cutAngle(s); ok {
		a, err := ParseAddress(addr)
		if err != nil {
			return Mailbox{}, fmt.Errorf("%q: %w", addr, err)
		}
		return Mailbox{Name: CleanName(plainPhrase(name)), Address: a}, nil
	}
	p, err := mail.ParseAddress(s)
	if err != nil {
		return Mailbox{}, fmt.Errorf("%q: %w", s, ErrAddress)
	}
	a, err := AddressOf(p)
	if err != nil {
		return Mailbox{}, fmt.Errorf("%q: %w", p.Address, err)
	}
	return Mailbox{Name: CleanName(p.Name), Address: a}, nil
}

// AddressOf is the address that net/mail read from a header field (RFC 5322 §3.4.1). Its local part
// comes without its quotes, whatever they held: it is not to be read as one with quotes again.
func AddressOf(m *mail.Address) (Address, error) {
	at := strings.LastIndexByte(m.Address, '@')
	if at < 1 {
		return Address{}, ErrAddress
	}
	return ParseAddress(Address{Local: m.Address[:at], Domain: m.Address[at+1:]}.Wire())
}

// cutAngle takes "Name <address>" apart without asking that the name be a proper phrase: people
// and spreadsheets write "J. Doe <j@x>" and "Doe, J <j@x>".
func cutAngle(s string) (name, addr string, ok bool) {
	body, ok := strings.CutSuffix(s, ">")
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(body, '<')
	if i < 0 {
		return "", "", false
	}
	return strings.TrimSpace(body[:i]), body[i+1:], true
}

func plainPhrase(name string) string {
	if n := len(name); n >= 2 && name[0] == '"' && name[n-1] == '"' {
		name = unescape(name[1 : n-1])
	}
	if decoded, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
		return decoded
	}
	return name
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// maxName bounds a stored name, in octets.
const maxName = 200

// CleanName makes a name from outside safe to store: valid UTF-8, no control characters, white
// space folded, at most 200 octets. A line break in a name can therefore never reach a header.
func CleanName(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u2028' || r == '\u2029' || unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || isBidiControl(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	for len(s) > maxName {
		s = strings.TrimRightFunc(s[:maxName], func(r rune) bool { return r == '\uFFFD' })
	}
	return s
}

// isBidiControl marks the characters that reorder what follows them on a page.
func isBidiControl(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
}

// String is "Name <address>" with the name as plain text, for people and logs, not for a header.
func (m Mailbox) String() string {
	if m.Name == "" {
		return m.Address.Wire()
	}
	return m.Name + " <" + m.Address.Wire() + ">"
}

// replyText is the room for text in a line of a reply: MaxReplyLine without CR LF, code, and an
// enhanced code as long as they come.
const replyText = MaxReplyLine - len("250-5.7.123 \r\n")

// AppendReply appends "Name <address>" as a line of an answer to VRFY or EXPN shows it (RFC 5321
// §3.5.1): the name plain, without what could be taken for the address or for the end of the line,
// cut to what fits, and left out if it is not ASCII and the client did not ask for UTF-8 (RFC 6531
// §3.7.4.2).
func (m Mailbox) AppendReply(b []byte, takesUTF8 bool) []byte {
	if name := m.Name; name != "" && (takesUTF8 || isASCII(name)) {
		start := len(b)
		b = appendName(b, name, start+replyText-m.Address.wireLen()-len(" <>"))
		if len(b) > start {
			b = append(b, ' ')
		}
	}
	b = append(b, '<')
	b = m.Address.AppendWire(b)
	return append(b, '>')
}

// ReplyText is AppendReply as a string.
func (m Mailbox) ReplyText(takesUTF8 bool) string { return string(m.AppendReply(nil, takesUTF8)) }

// appendName appends what of a name may stand in a reply, up to where b has end octets.
func appendName(b []byte, name string, end int) []byte {
	start := len(b)
	for _, r := range name {
		switch {
		case r == '<' || r == '>' || unicode.IsControl(r) || isBidiControl(r):
			continue
		case unicode.IsSpace(r) && (len(b) == start || b[len(b)-1] == ' '):
			continue
		case unicode.IsSpace(r):
			r = ' '
		}
		if len(b)+utf8.RuneLen(r) > end {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	if n := len(b); n > start && b[n-1] == ' ' {
		b = b[:n-1]
	}
	return b
}
