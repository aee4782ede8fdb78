package lists

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"muster/lists/mailauth"
	"muster/lists/verdict"
)

// authenticate finds out who vouches for the message, and asks the rules again with that. It is not done
// for what all refuse or discard as it is: a stranger's mail is not worth the questions.
func (a *acceptance) authenticate(ctx context.Context) error {
	if a.s.cfg.MailAuth == nil || !slices.ContainsFunc(a.parts, (*part).isTaken) {
		return nil
	}
	if err := a.look(ctx); err != nil {
		return err
	}
	if a.authres == "" {
		return nil
	}
	for _, p := range a.parts {
		if p.target.Kind == TargetPost && p.outcome.Refusal == nil {
			if err := a.rule(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// isTaken says whether somebody may read the message for this part, or it gives commands.
func (p *part) isTaken() bool {
	return (p.isRead() || p.isCommand()) && p.outcome.Refusal == nil && p.decision.Action != verdict.Discard
}

// look finds out who vouches for the message, once.
func (a *acceptance) look(ctx context.Context) error {
	if a.looked || a.s.cfg.MailAuth == nil {
		return nil
	}
	found, err := a.vouchers(ctx)
	if err != nil {
		return err
	}
	a.looked = true
	if len(found.Results) > 0 {
		a.found, a.authres = found, found.Field(a.s.authservID())
	}
	return nil
}

// vouchers is what is found, or what those found whose word is taken. The clients that pass on mail for us
// are not the ones that SPF is about, and what their users send is nobody's to look up.
func (a *acceptance) vouchers(ctx context.Context) (mailauth.Finding, error) {
	trusted := a.s.cfg.TrustedAuthservID
	switch {
	case a.signedIn():
		// As who is nobody's business but theirs: From says who it is by, and the author rule holds them to it.
		return mailauth.Finding{Results: []mailauth.Result{{Method: mailauth.MethodAuth, Value: mailauth.Pass}}, Aligned: a.asAuthor()}, nil
	case a.env.Trusted && trusted == "":
		return mailauth.Finding{}, nil
	}
	header, err := a.letter.start(min(a.letter.HeaderLen, maxHeader))
	if err != nil {
		return mailauth.Finding{}, err
	}
	if a.env.Trusted {
		return mailauth.Taken(header, trusted, a.author()), nil
	}
	client, _ := netip.ParseAddr(a.env.Client) // invalid for a unix socket
	return a.s.cfg.MailAuth.Check(ctx, &mailauth.Mail{
		Client: client, Hello: a.env.Hello, From: a.env.From, Author: a.author(), Size: a.letter.Size, Header: header, Body: a.letter.body,
	}), nil
}

// body is the message without its header.
func (l *letter) body() (io.ReadCloser, error) {
	if l.raw != nil {
		return io.NopCloser(bytes.NewReader(l.raw[min(l.HeaderLen, int64(len(l.raw))):])), nil
	}
	r := l.Open()
	if _, err := io.CopyN(io.Discard, r, l.HeaderLen); err != nil {
		r.Close()
		return nil, fmt.Errorf("message: %w", err)
	}
	return r, nil
}

// authservID is by what name this site says what it found (RFC 8601 §2.5).
func (s *Service) authservID() string {
	switch {
	case s.cfg.AuthservID != "":
		return s.cfg.AuthservID
	case s.cfg.Hostname != "":
		return s.cfg.Hostname
	}
	return "localhost"
}

// authentication is what was found, as facts.
func (a *acceptance) authentication() verdict.Authentication {
	if a.authres == "" {
		return verdict.Authentication{}
	}
	of := func(method string) string { return string(a.found.Value(method)) }
	return verdict.Authentication{
		Known: true, SPF: of(mailauth.MethodSPF), DKIM: of(mailauth.MethodDKIM), DMARC: of(mailauth.MethodDMARC),
		ARC: of(mailauth.MethodARC), Auth: of(mailauth.MethodAuth), Policy: a.found.Policy, Aligned: a.found.Aligned,
	}
}

// authenticated says whether the author proved to be who From says: by AUTH, or because the domain in From
// vouches for the message by SPF or DKIM.
func (a *acceptance) authenticated() bool { return a.asAuthor() || a.found.Aligned }

// mayTell says whether the author can be mailed about the message: a forged one would have us write to a
// stranger, and to a program one does not write.
func (a *acceptance) mayTell() bool {
	return a.asAuthor() || a.found.Aligned && !a.env.From.IsZero() && !a.letter.verdict.Robot
}
