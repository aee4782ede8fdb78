package smtpserver

import (
	"context"

	"muster/smtp"
)

// noop is NOOP, whose argument, if there is one, means nothing (RFC 5321 §4.1.1.9).
func (s *session) noop(context.Context, string) (*smtp.Reply, error) {
	return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, "Still here"), nil
}
