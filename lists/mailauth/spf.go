package mailauth

import (
	"context"
	"strings"

	"blitiri.com.ar/go/spf"

	"muster/smtp"
)

// checkSPF judges whether the domain of the reverse-path lets the client send for it; for the null
// reverse-path, the name of the client does (RFC 7208 §2.4). The library counts lookups, void ones too
// (RFC 7208 §4.6.4).
func (c *Checker) checkSPF(ctx context.Context, m *Mail) identity {
	sender, property := m.From, "smtp.mailfrom"
	if sender.IsZero() {
		sender, property = smtp.Address{Local: "postmaster", Domain: m.Hello}, "smtp.helo"
	}
	id := identity{result: Result{Method: MethodSPF, Value: None}}
	domain, err := smtp.DomainKey(sender.Domain)
	if err != nil || !m.Client.IsValid() { // an address literal, a name that is none
		return id
	}
	id.domain = domain
	id.result.Props = []Prop{{property, domain}}
	value, err := spf.CheckHostWithSender(m.Client.Unmap().AsSlice(), m.Hello, spfLocal(sender.Local)+"@"+domain,
		spf.WithContext(ctx), spf.WithResolver(c.asker()))
	id.result.Value = Value(value)
	if err != nil && (id.result.Value == TempError || id.result.Value == PermError) {
		id.result.Reason = err.Error()
	}
	return id
}

// spfLocal is a local part for macros to be made of. What the library would take for more than a local
// part stands for nobody (RFC 7208 §4.3).
func spfLocal(local string) string {
	odd := func(r rune) bool { return r == '@' || r <= ' ' || r > '~' }
	if local == "" || strings.ContainsFunc(local, odd) {
		return "postmaster"
	}
	return local
}
