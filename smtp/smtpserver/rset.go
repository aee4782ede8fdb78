package smtpserver

import (
	"context"

	"muster/smtp"
)

// rset is RSET (RFC 5321 §4.1.1.5).
func (s *session) rset(_ context.Context, arg string) (*smtp.Reply, error) {
	if arg != "" {
		return syntax("RSET stands alone"), nil
	}
	s.reset()
	return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, "Begin again"), nil
}
