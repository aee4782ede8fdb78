package fanout

import (
	"bytes"
	"errors"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"muster/smtp"
)

// A server without 8BITMIME is given no octet above 127 in a body: what has some is converted to
// quoted-printable on the way (RFC 6152 §3), part by part, and only for such a server. What a
// signature covers is not touched: whoever it was written for would take the author for a forger.

// Why a message cannot be converted. They are told to whom the copy bounces to.
var (
	errSigned        = errors.New("the server does not offer 8BITMIME, and converting the message would break its author's signature")
	errUnconvertible = errors.New("the server does not offer 8BITMIME, and the message has a part that cannot be converted")
)

// maxParts bounds how deep parts may lie in each other.
const maxParts = 30

// notForIt is the refusal of a message that a server cannot be given (RFC 3463 §3.7).
func notForIt(err error) *smtp.Reply {
	code := smtp.Enhanced{5, 6, 3} // conversion required but not supported
	if errors.Is(err, errSigned) {
		code = smtp.Enhanced{5, 6, 2} // conversion required and prohibited
	}
	return smtp.NewReply(smtp.CodeFailed, code, err.Error())
}

// toSevenBit converts a message, whose header may be only its end. One that needs no conversion is
// returned as it is.
func toSevenBit(message []byte) ([]byte, error) {
	head, body := cutHeader(message)
	if !hasHigh(body) {
		return message, nil
	}
	if signedByAuthor(head) {
		return nil, errSigned
	}
	c := converter{}
	if !has(head, "mime-version") { // without it nobody looks at what the rest says
		c.out.WriteString("MIME-Version: 1.0\r\n")
	}
	if err := c.entity(message, "text/plain", 0); err != nil {
		return nil, err
	}
	return c.out.Bytes(), nil
}

func hasHigh(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// cutHeader cuts after the empty line, which stays with the header.
func cutHeader(entity []byte) (head, body []byte) {
	if bytes.HasPrefix(entity, []byte("\r\n")) { // a part may have no field at all
		return entity[:2], entity[2:]
	}
	if i := bytes.Index(entity, []byte("\r\n\r\n")); i >= 0 {
		return entity[:i+4], entity[i+4:]
	}
	return entity, nil
}

// fieldValues are the values of the fields of a lower-case name, unfolded.
func fieldValues(head []byte, name string) []string {
	var values []string
	in := false
	for line := range bytes.Lines(head) {
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case line[0] == ' ' || line[0] == '\t':
			if in {
				values[len(values)-1] += text
			}
		case fieldName(line) == name:
			_, value, _ := strings.Cut(text, ":")
			values, in = append(values, value), true
		default:
			in = false
		}
	}
	return values
}

// signedByAuthor says whether a DKIM signature speaks for the domain of From, or for one above or
// below it. Those of others on the way break with nobody's trust.
func signedByAuthor(head []byte) bool {
	domain := ""
	if from := fieldValues(head, "from"); len(from) > 0 {
		if a, err := mail.ParseAddress(from[0]); err == nil {
			domain = strings.ToLower(a.Address[strings.LastIndexByte(a.Address, '@')+1:])
		}
	}
	for _, signature := range fieldValues(head, "dkim-signature") {
		for tag := range strings.SplitSeq(signature, ";") {
			name, d, _ := strings.Cut(tag, "=")
			d = strings.ToLower(strings.TrimSpace(d))
			if strings.TrimSpace(name) != "d" || d == "" {
				continue
			}
			if domain == "" || d == domain || strings.HasSuffix(domain, "."+d) || strings.HasSuffix(d, "."+domain) {
				return true
			}
		}
	}
	return false
}

// converter writes a converted message.
type converter struct{ out bytes.Buffer }

// entity converts a message or a part of one, which without a Content-Type is of the default type.
func (c *converter) entity(entity []byte, def string, depth int) error {
	head, body := cutHeader(entity)
	if !hasHigh(body) {
		c.out.Write(entity)
		return nil
	}
	if depth > maxParts {
		return errUnconvertible
	}
	kind, params := def, map[string]string(nil)
	if t := fieldValues(head, "content-type"); len(t) > 0 {
		kind, params, _ = mime.ParseMediaType(t[0]) // what is malformed is a part like any other
	}
	switch {
	case kind == "multipart/signed": // RFC 1847 §2.1: it should never have been sent like this
		return errSigned
	case strings.HasPrefix(kind, "multipart/"):
		def := "text/plain"
		if kind == "multipart/digest" { // RFC 2046 §5.1.5
			def = "message/rfc822"
		}
		c.out.Write(without(head, isEncoding))
		return c.parts(body, params["boundary"], def, depth)
	case kind == "message/rfc822": // which may not be encoded itself (RFC 2046 §5.2.1)
		c.out.Write(without(head, isEncoding))
		return c.entity(body, "text/plain", depth+1)
	case kind == "message/partial" || kind == "message/external-body": // nor these (§5.2.2, §5.2.3)
		return errUnconvertible
	}
	return c.leaf(head, body)
}

func isEncoding(name string) bool { return name == "content-transfer-encoding" }

// parts converts what lies between the delimiters of a multipart (RFC 2046 §5.1.1).
func (c *converter) parts(body []byte, boundary, def string, depth int) error {
	if boundary == "" {
		return errUnconvertible
	}
	delimiter := []byte("--" + boundary)
	const preamble, part, epilogue = 0, 1, 2
	at, start, pos := preamble, 0, 0
	// between is called with what lies before a delimiter. The line end before it is the
	// delimiter's.
	between := func(piece []byte) error {
		if at != part {
			c.out.Write(withoutHigh(piece, '?')) // nobody is to read it
			return nil
		}
		end := len(bytes.TrimSuffix(piece, []byte("\r\n")))
		if err := c.entity(piece[:end], def, depth+1); err != nil {
			return err
		}
		c.out.Write(piece[end:])
		return nil
	}
	for line := range bytes.Lines(body) {
		from := pos
		pos += len(line)
		rest, ok := bytes.CutPrefix(line, delimiter)
		if !ok || at == epilogue {
			continue
		}
		rest, last := bytes.CutPrefix(rest, []byte("--"))
		if len(bytes.TrimSpace(rest)) > 0 {
			continue
		}
		if err := between(body[start:from]); err != nil {
			return err
		}
		c.out.Write(line)
		start, at = pos, part
		if last {
			at = epilogue
		}
	}
	return between(body[start:])
}

// withoutHigh puts another octet in the place of each above 127; 0 leaves them out.
func withoutHigh(b []byte, with byte) []byte {
	if !hasHigh(b) {
		return b
	}
	clean := make([]byte, 0, len(b))
	for _, o := range b {
		switch {
		case o < 0x80:
			clean = append(clean, o)
		case with != 0:
			clean = append(clean, with)
		}
	}
	return clean
}

// leaf converts a part that holds no others.
func (c *converter) leaf(head, body []byte) error {
	encoding := ""
	if e := fieldValues(head, "content-transfer-encoding"); len(e) > 0 {
		encoding = strings.ToLower(strings.TrimSpace(e[0]))
	}
	switch encoding {
	case "base64": // where octets of no meaning are passed over (RFC 2045 §6.8)
		c.out.Write(head)
		c.out.Write(withoutHigh(body, 0))
	case "quoted-printable": // with octets that it should not have
		c.out.Write(head)
		c.quoteHigh(body)
	case "", "7bit", "8bit", "binary":
		c.out.WriteString("Content-Transfer-Encoding: quoted-printable\r\n")
		c.out.Write(without(head, isEncoding))
		q := quotedprintable.NewWriter(&c.out)
		_, _ = q.Write(body) // memory does not fail
		_ = q.Close()
	default:
		return errUnconvertible
	}
	return nil
}

// maxQuoted is the longest line of quoted-printable (RFC 2045 §6.7 rule 5), its = included.
const maxQuoted = 76

// quoteHigh quotes the octets above 127 only, in text that is quoted-printable but for them.
func (c *converter) quoteHigh(body []byte) {
	const hex = "0123456789ABCDEF"
	column := 0
	for _, o := range body {
		switch {
		case o == '\n':
			column = 0
			c.out.WriteByte(o)
		case o < 0x80:
			column++
			c.out.WriteByte(o)
		default:
			if column > maxQuoted-4 {
				c.out.WriteString("=\r\n")
				column = 0
			}
			c.out.Write([]byte{'=', hex[o>>4], hex[o&15]})
			column += 3
		}
	}
}
