package smtpclient

import (
	"fmt"
	"strconv"

	"muster/smtp"
)

func (c *Conn) appendMail(b []byte, e *Envelope) []byte {
	b = append(b, "MAIL FROM:<"...)
	b = appendPath(b, e.From)
	b = append(b, '>')
	if c.ext.SizeOffered && e.Size > 0 {
		b = append(b, " SIZE="...)
		b = strconv.AppendInt(b, e.Size, 10)
	}
	if c.ext.EightBit && (e.EightBit || e.UTF8) {
		b = append(b, " BODY=8BITMIME"...)
	}
	if c.ext.UTF8 && needsSMTPUTF8(e) {
		b = append(b, " SMTPUTF8"...)
	}
	if c.ext.DSN && e.Return != "" {
		b = append(append(b, " RET="...), e.Return...)
	}
	if c.ext.DSN && e.ID != "" {
		b = appendXtext(append(b, " ENVID="...), e.ID)
	}
	return append(b, "\r\n"...)
}

func (c *Conn) appendRcpt(b []byte, e *Envelope, i int) []byte {
	b = append(b, "RCPT TO:<"...)
	b = appendPath(b, e.To[i])
	b = append(b, '>')
	if c.ext.DSN && e.Notify != "" {
		b = append(append(b, " NOTIFY="...), e.Notify...)
	}
	if c.ext.DSN && e.Original {
		b = appendOriginal(b, e.To[i])
	}
	return append(b, "\r\n"...)
}

// maxOriginal is what ORCPT may have of octets, with its name (RFC 3461 §4.2).
const maxOriginal = 500

// appendOriginal writes ORCPT, if it is not too long. What is not ASCII has a type of its own, in the form
// that servers without SMTPUTF8 read too (RFC 6533 §3).
func appendOriginal(b []byte, a smtp.Address) []byte {
	start := len(b)
	if path := string(appendPath(nil, a)); plainASCII(path) {
		b = appendXtext(append(b, " ORCPT=rfc822;"...), path)
	} else {
		b = appendUTF8Xtext(append(b, " ORCPT=utf-8;"...), path)
	}
	if len(b)-start > maxOriginal {
		return b[:start]
	}
	return b
}

// appendUTF8Xtext encodes s as utf-8-addr-xtext.
func appendUTF8Xtext(b []byte, s string) []byte {
	for _, r := range s {
		if r > ' ' && r <= '~' && r != '+' && r != '=' && r != '\\' {
			b = append(b, byte(r))
		} else {
			b = fmt.Appendf(b, "\\x{%02X}", r)
		}
	}
	return b
}

// appendPath writes an address. A domain in another script goes as A-labels where the local part
// is ASCII: then any server takes it (RFC 6531 §3.2).
func appendPath(b []byte, a smtp.Address) []byte {
	if plainASCII(a.Local) && !plainASCII(a.Domain) {
		a.Domain = a.DomainKey()
	}
	return a.AppendWire(b)
}

// needsSMTPUTF8 says whether the envelope cannot be said without the extension.
func needsSMTPUTF8(e *Envelope) bool {
	if e.UTF8 || !plainASCII(e.From.Local) {
		return true
	}
	for i := range e.To {
		if !plainASCII(e.To[i].Local) {
			return true
		}
	}
	return false
}

// appendXtext encodes s as RFC 3461 §4 asks.
func appendXtext(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c > ' ' && c <= '~' && c != '+' && c != '=' {
			b = append(b, c)
		} else {
			b = append(b, '+', hex[c>>4], hex[c&15])
		}
	}
	return b
}
