package inbound

import (
	"context"

	"muster/lists"
	"muster/smtp"
)

// Authenticate is smtpserver.Authenticator's (RFC 4954 §4). The lists need the same time for a user
// that does not exist.
func (s *session) Authenticate(ctx context.Context, user, password string) error {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	actor, err := s.lists.Authenticate(ctx, user, password, address(s.client))
	switch lists.KindOf(err) {
	case lists.Denied, lists.Invalid, lists.NotFound:
		return smtp.NewReply(smtp.CodeAuthFailed, smtp.Enhanced{5, 7, 8}, "The user or the password is wrong")
	case lists.Limited:
		return smtp.NewReply(smtp.CodeTLSUnavailable, smtp.Enhanced{4, 7, 0}, "Too many attempts; try again later")
	}
	if err != nil {
		return err
	}
	s.actor = actor
	return nil
}
