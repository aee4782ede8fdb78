package smtpserver

import (
	"context"

	"muster/smtp"
)

// help is HELP (RFC 5321 §4.1.1.8).
func (s *session) help(context.Context, string) (*smtp.Reply, error) {
	verbs := "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP VRFY EXPN"
	if s.client.LMTP {
		verbs = "LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP VRFY EXPN"
	}
	if s.offersTLS() {
		verbs += " STARTTLS"
	}
	if s.offersAuth() {
		verbs += " AUTH"
	}
	return &smtp.Reply{Code: smtp.CodeHelp, Enhanced: smtp.StatusOK, Lines: []string{
		verbs,
		"EXPN name lists the members of a list, VRFY name says whom a name reaches.",
		"MAIL FROM:<you@your.domain>, RCPT TO:<list@domain>, DATA post a message.",
	}}, nil
}
