package inbound

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"muster/lists"
	"muster/smtp"
	"muster/smtp/smtpserver"
)

// session is one client's talk with the lists.
type session struct {
	lists  *lists.Service
	host   string
	client *smtpserver.Client // kept up to date by the server
	wait   time.Duration      // see Config
	log    *slog.Logger
	counts *Counts
	actor  lists.Actor // who authenticated; see by

	from   smtp.Address
	params smtpserver.MailParams
	to     []lists.Target
}

// by is who the client is to the lists: itself, unless it authenticated. A new hello after STARTTLS
// ends an authentication, which the server knows.
func (s *session) by() lists.Actor {
	if s.client.User == "" {
		return lists.Anonymous(address(s.client))
	}
	return s.actor
}

// Mail is smtpserver.Session's. Any sender may try: what a list takes depends on the message.
func (s *session) Mail(_ context.Context, from smtp.Address, p smtpserver.MailParams) error {
	s.from, s.params = from, p
	return nil
}

// Rcpt is smtpserver.Session's. It asks the database each time, and so is right whatever has
// changed since the last.
func (s *session) Rcpt(ctx context.Context, to smtp.Address, _ smtpserver.RcptParams) error {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	target, err := s.lists.ResolveFor(ctx, to, s.from)
	if err != nil {
		return err
	}
	switch target.Kind {
	case lists.TargetForeign:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusDenied, "No relaying: that address is not here")
	case lists.TargetUnknown:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusNoMailbox, "There is no such address here")
	}
	err = s.lists.MayPost(target)
	if err == nil {
		err = s.lists.MayForward(ctx, target, s.from)
	}
	if err != nil {
		if why := (*lists.Error)(nil); errors.As(err, &why) {
			return refused(why)
		}
		return err
	}
	s.to = append(s.to, target)
	return nil
}

// Data is smtpserver.Session's: one answer for all recipients. It is a refusal only where all refuse;
// the lists see to it that what some refuse is not lost.
func (s *session) Data(ctx context.Context, m *smtpserver.Message) error {
	outcomes, err := s.accept(ctx, m, false)
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Refusal == nil {
			return taken(o)
		}
	}
	return refused(outcomes[0].Refusal)
}

// DataLMTP is smtpserver.LMTPSession's.
func (s *session) DataLMTP(ctx context.Context, m *smtpserver.Message) []error {
	answers := make([]error, len(s.to))
	outcomes, err := s.accept(ctx, m, true)
	for i := range answers {
		switch {
		case err != nil:
			answers[i] = err
		case outcomes[i].Refusal != nil:
			answers[i] = refused(outcomes[i].Refusal)
		default:
			answers[i] = taken(outcomes[i])
		}
	}
	return answers
}

// accept gives the message to the lists. The client that hangs up before it hears the answer does
// not undo it: it is committed or not, and if not, the client was not told so.
func (s *session) accept(ctx context.Context, m *smtpserver.Message, each bool) ([]lists.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, messageWait*s.wait)
	defer cancel()
	outcomes, err := s.lists.Accept(ctx, lists.Envelope{
		From: s.from, To: s.to, Each: each, Client: address(s.client), Hello: s.client.Hello, Trusted: s.client.Trusted || s.client.LMTP,
		By: s.by(), UTF8: s.params.UTF8, Received: s.received(),
	}, lists.Message{Size: m.Size, HeaderLen: m.HeaderLen, EightBit: m.EightBit, UTF8: m.UTF8, Open: m.Open})
	if err != nil {
		s.counts.message(outcomeFailed, len(s.to))
		return nil, err
	}
	for i, o := range outcomes {
		s.note(s.to[i], m.Size, o)
	}
	return outcomes, nil
}

// note logs and counts what became of a message for one recipient.
func (s *session) note(to lists.Target, size int64, o lists.Outcome) {
	if o.Refusal != nil {
		s.counts.message(outcomeRefused, 1)
		s.log.Info("message refused", "from", s.from.String(), "to", to.Address.String(), "reason", o.Refusal.Code)
		return
	}
	s.counts.message(string(o.Fate), 1)
	said := []any{"from", s.from.String(), "to", to.Address.String(), "size", size, "fate", string(o.Fate)}
	if o.Post != uuid.Nil { // a command or a bounce makes none
		said = append(said, "post", o.Post.String())
	}
	s.log.Info("message taken", said...)
}

// Reset is smtpserver.Session's.
func (s *session) Reset() {
	s.from, s.params, s.to = smtp.Address{}, smtpserver.MailParams{}, nil
}

// Close is smtpserver.Session's.
func (s *session) Close() { s.counts.open.Add(-1) }
