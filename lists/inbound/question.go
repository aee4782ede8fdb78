package inbound

import (
	"context"
	"errors"

	"muster/lists"
	"muster/smtp"
	"muster/smtp/smtpserver"
)

// asker is who asks EXPN and VRFY.
func (s *session) asker() lists.Asker { return askerOf(s.client, s.by()) }

func askerOf(c *smtpserver.Client, by lists.Actor) lists.Asker {
	return lists.Asker{Actor: by, SignedIn: c.User != "", Trusted: c.Trusted}
}

// MayExpand is smtpserver.Advertiser's: EHLO lists EXPN where it is of use. It waits for nobody.
func (s *session) MayExpand(c *smtpserver.Client) bool {
	return s.lists.OffersExpn(askerOf(c, s.by()))
}

// Expand is smtpserver.Expander's.
func (s *session) Expand(ctx context.Context, arg string, utf8 bool, line func(smtp.Mailbox) error) error {
	err := s.lists.Expand(ctx, s.asker(), arg, utf8, line)
	s.counts.question("EXPN", s.client, answerOf(err))
	if errors.As(err, new(lists.Unanswered)) {
		return unanswered(err)
	}
	return err
}

// Verify is smtpserver.Verifier's.
func (s *session) Verify(ctx context.Context, arg string, utf8 bool) *smtp.Reply {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	found, err := s.lists.Verify(ctx, s.asker(), arg, utf8)
	answer := answerOf(err)
	if len(found) > 1 {
		answer = answerAmbiguous
	}
	s.counts.question("VRFY", s.client, answer)
	switch {
	case err != nil:
		return unanswered(err)
	case len(found) == 1:
		return smtp.NewReply(smtp.CodeOK, smtp.StatusAddressOK, found[0].ReplyText(utf8))
	}
	// RFC 5321 §3.5.1 gives the words, so that programs can read them.
	ambiguous := &smtp.Reply{Code: smtp.CodeMailboxName, Enhanced: smtp.Enhanced{5, 1, 4}, Lines: []string{"Ambiguous; Possibilities are"}}
	for _, m := range found {
		ambiguous.Lines = append(ambiguous.Lines, m.ReplyText(utf8))
	}
	return ambiguous
}
