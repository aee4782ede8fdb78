package fanout

import (
	"context"
	"mime"
	"strings"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// Where a site is tried out, all that it sends goes to one address, and nothing to anybody else:
// neither a copy nor a connection, nor a question about their domain.

// originalField names the recipient of a copy that was sent to somebody else, as Postfix does.
const originalField = "X-Original-To"

// redirectTo makes a batch of one recipient go to another address.
func (b *batch) redirectTo(to smtp.Address) {
	var h header
	h.field(originalField, mime.QEncoding.Encode("utf-8", b.envelope.To[0].String()))
	b.original = smtpclient.Prepare(h.Bytes())
	b.envelope.To[0] = to
	b.envelope.Size += int64(len(b.original))
}

// goal is the domain whose servers take mail to a domain.
func (r *router) goal(domain string) string {
	if r.redirect == "" {
		return domain
	}
	return r.redirect
}

// relaysTo are relays as they are for mail to one domain alone: those that are for others are left
// out, and those that name the domain come before those that name none.
func relaysTo(domain string, relays []Relay) []Relay {
	named := map[string]bool{} // by the lists that they are for
	lists := func(r Relay) string { return strings.Join(r.ForListDomain, ",") }
	for _, r := range relays {
		if len(r.ForRecipientDomain) > 0 && fits(r.ForRecipientDomain, domain) {
			named[lists(r)] = true
		}
	}
	var kept []Relay
	for _, r := range relays {
		if len(r.ForRecipientDomain) > 0 == named[lists(r)] && (len(r.ForRecipientDomain) == 0 || fits(r.ForRecipientDomain, domain)) {
			r.ForRecipientDomain = nil
			kept = append(kept, r)
		}
	}
	return kept
}

// warnRedirected says loudly that nobody gets their mail.
func (e *Engine) warnRedirected(ctx context.Context) {
	if !e.cfg.RedirectTo.IsZero() {
		e.log.ErrorContext(ctx, "redirect_all_to is set: all mail goes to one address, and nobody else gets any", "address", e.cfg.RedirectTo.String())
	}
}
