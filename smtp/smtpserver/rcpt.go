package smtpserver

import (
	"context"
	"errors"
	"time"

	"muster/smtp"
)

const (
	// patientStrangers is how many refused recipients are told so at once; from then on each costs
	// the client strangerDelay more than the one before, up to maxStrangerDelay. Who mails a list of
	// his own does not get there, who tries out names does.
	patientStrangers = 10
	strangerDelay    = 100 * time.Millisecond
	maxStrangerDelay = time.Second
)

// rcpt is RCPT (RFC 5321 §4.1.1.3).
func (s *session) rcpt(ctx context.Context, arg string) (*smtp.Reply, error) {
	switch {
	case s.tx.refused:
		return sequence("The sender was refused"), nil
	case !s.tx.open:
		return sequence("MAIL comes first"), nil
	case s.tx.chunks:
		return sequence("The message has begun"), nil
	case s.tx.recipients >= s.limits.Recipients:
		return smtp.NewReply(smtp.CodeStorage, smtp.StatusTooMany, "Too many recipients; send to the others in another transaction"), nil
	}
	reply, protocolError := s.tryRcpt(ctx, arg)
	switch {
	case protocolError:
		return reply, nil
	case reply.Positive():
		s.tx.recipients++
		return reply, nil
	}
	s.tx.rejected++
	return s.stranger(reply), nil
}

// tryRcpt reads the argument and asks the backend.
func (s *session) tryRcpt(ctx context.Context, arg string) (reply *smtp.Reply, protocolError bool) {
	path, ok := cutKeyword(arg, "TO:")
	if !ok {
		return syntax("RCPT TO:<address>"), true
	}
	to, rest, err := smtp.ParsePath(path)
	switch {
	case errors.Is(err, smtp.ErrPath):
		return syntax("RCPT TO:<address>"), true
	case err != nil || to.IsZero():
		return badAddress(smtp.Enhanced{5, 1, 3}, err), false
	case !to.ASCII() && !s.tx.params.UTF8:
		return needsUTF8(), false
	}
	if refusal := s.rcptParams(rest); refusal != nil {
		return refusal, true
	}
	ok250 := smtp.NewReply(smtp.CodeOK, smtp.StatusAddressOK, "Recipient ok")
	return s.answer("recipient", s.backend.Rcpt(ctx, to, RcptParams{}), ok250), false
}

// rcptParams refuses all parameters of RCPT.
func (s *session) rcptParams(rest string) *smtp.Reply {
	params, refusal := s.params(rest)
	if refusal == nil && len(params) > 0 {
		return noParam(params[0].Key)
	}
	return refusal
}

// stranger counts a refused recipient, slows down whoever tries out names, and ends it.
func (s *session) stranger(reply *smtp.Reply) *smtp.Reply {
	if s.client.Trusted || reply.Temporary() {
		return reply
	}
	s.strangers++
	if s.strangers > s.limits.Strangers {
		return s.goodbyeFor(smtp.Enhanced{4, 7, 0}, "Too many recipients that are not here")
	}
	s.delay(min(time.Duration(s.strangers-patientStrangers)*strangerDelay, maxStrangerDelay))
	return reply
}
