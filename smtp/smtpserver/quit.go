package smtpserver

import (
	"context"

	"muster/smtp"
)

// quit is QUIT (RFC 5321 §4.1.1.10).
func (s *session) quit(_ context.Context, arg string) (*smtp.Reply, error) {
	if arg != "" {
		return syntax("QUIT stands alone"), nil
	}
	return smtp.NewReply(smtp.CodeClosing, smtp.StatusOK, s.server.host+" Goodbye"), nil
}
