package inbound

import (
	"net/netip"
	"strings"

	"muster/lists/verdict"
	"muster/smtp"
	"muster/smtp/smtpserver"
)

// received is our Received field (RFC 5321 §4.4) without its name, up to where FOR stands.
func (s *session) received() string {
	return "from " + origin(s.client) + "\r\n\tby " + s.host + " " + verdict.Mark +
		" with " + protocol(s.client, s.params.UTF8) + " id " + s.client.ID
}

// origin is who the client says it is and where it came from. A name that is none, which a client is
// free to give, stands in a comment where it can do no harm.
func origin(c *smtpserver.Client) string {
	where := "unix socket"
	if c.Addr.IsValid() {
		where = literal(c.Addr.Addr())
	}
	if name, err := smtp.DomainKey(c.Hello); err == nil && name == strings.ToLower(c.Hello) || isLiteral(c.Hello) {
		return c.Hello + " (" + where + ")"
	}
	if !c.Addr.IsValid() {
		where = "localhost"
	}
	return where + " (hello " + harmless(c.Hello) + ")"
}

func isLiteral(hello string) bool {
	_, err := smtp.ParseAddress("x@" + hello)
	return err == nil && strings.HasPrefix(hello, "[")
}

// literal is an address literal (RFC 5321 §4.1.3).
func literal(ip netip.Addr) string {
	if ip.Is6() && !ip.Is4In6() {
		return "[IPv6:" + ip.WithZone("").String() + "]"
	}
	return "[" + ip.Unmap().String() + "]"
}

// harmless is text that cannot end the comment it stands in, nor fold the line.
func harmless(s string) string {
	const most = 100
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`()\`, r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}

// protocol is what WITH says (RFC 3848, RFC 6531 §3.7.3).
func protocol(c *smtpserver.Client, utf8 bool) string {
	name := "SMTP"
	switch {
	case utf8 && c.LMTP:
		name = "UTF8LMTP"
	case utf8:
		name = "UTF8SMTP"
	case c.LMTP:
		name = "LMTP"
	case c.Extended:
		name = "ESMTP"
	}
	if c.TLS {
		name += "S"
	}
	if c.User != "" {
		name += "A"
	}
	return name
}
