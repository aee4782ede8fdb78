package smtpserver

import (
	"context"
	"fmt"

	"muster/smtp"
)

// deliverLMTP is the end of the data under LMTP: a reply to each recipient that was accepted, in
// their order (RFC 2033 §4.2). The last is returned, the others go ahead of it.
func (s *session) deliverLMTP(ctx context.Context, m *Message, refusal *smtp.Reply) (*smtp.Reply, error) {
	replies := s.askLMTP(ctx, m, refusal)
	s.decided(ctx, replies...)
	last := len(replies) - 1
	for _, reply := range replies[:last] {
		if err := s.write(reply); err != nil {
			return nil, err
		}
	}
	return replies[last], nil
}

// askLMTP asks the backend for the replies, one a recipient.
func (s *session) askLMTP(ctx context.Context, m *Message, refusal *smtp.Reply) []*smtp.Reply {
	replies := make([]*smtp.Reply, s.tx.recipients)
	each, ok := s.backend.(LMTPSession)
	if refusal != nil || !ok {
		if refusal == nil {
			refusal = s.answer("message", s.backend.Data(ctx, m), delivered())
		}
		for i := range replies {
			replies[i] = refusal
		}
		return replies
	}
	errs := each.DataLMTP(ctx, m)
	if len(errs) != len(replies) {
		// Which answer is whose is not known: none may be 250.
		errs = append(errs[:0], fmt.Errorf("backend has %d answers for %d recipients", len(errs), len(replies)))
		for len(errs) < len(replies) {
			errs = append(errs, errs[0])
		}
	}
	for i, err := range errs {
		replies[i] = s.answer("message", err, delivered())
	}
	return replies
}
