package smtpserver

import (
	"context"
	"strings"
	"unicode/utf8"

	"muster/smtp"
)

// vrfy is VRFY (RFC 5321 §4.1.1.6). Without a hello it works too (RFC 5321 §4.1.4).
func (s *session) vrfy(ctx context.Context, arg string) (*smtp.Reply, error) {
	who, takesUTF8, refusal := s.question("VRFY", arg)
	if refusal != nil {
		return refusal, nil
	}
	if verifier, ok := s.backend.(Verifier); ok {
		if reply := verifier.Verify(ctx, who, takesUTF8); reply != nil {
			return speakable(reply, takesUTF8), nil
		}
	}
	return cannotSay(), nil
}

// question reads the argument of VRFY or EXPN and sees to it that nobody asks too often.
func (s *session) question(verb, arg string) (who string, takesUTF8 bool, refusal *smtp.Reply) {
	who, takesUTF8 = cutUTF8(arg)
	who = unquote(who)
	switch {
	case who == "":
		return "", false, syntax(verb + " name")
	case !utf8.ValidString(who):
		return "", false, smtp.NewReply(smtp.CodeSyntax, smtp.StatusBadSyntax, "That is not UTF-8")
	case !s.client.Trusted && !s.peer.mayAsk(s.limits.Questions):
		return "", false, smtp.NewReply(smtp.CodeMailboxBusy, smtp.Enhanced{4, 7, 1}, "Too many questions; ask again in a minute")
	}
	return who, takesUTF8, nil
}

// unquote takes off what may stand around a name: the quotes of a quoted-string (RFC 5321
// §4.1.1.6), or the angle brackets that people put around an address here too.
func unquote(who string) string {
	n := len(who)
	switch {
	case n >= 2 && who[0] == '<' && who[n-1] == '>':
		return who[1 : n-1]
	case n >= 2 && who[0] == '"' && who[n-1] == '"':
		return strings.NewReplacer(`\\`, `\`, `\`, "").Replace(who[1 : n-1])
	}
	return who
}

// cannotSay is the answer that says neither yes nor no (RFC 5321 §3.5.3 and §7.3).
func cannotSay() *smtp.Reply {
	return smtp.NewReply(smtp.CodeCannotVerify, smtp.StatusCannotVRFY, "Cannot say; send mail and it will be tried")
}

// speakable keeps UTF-8 from a client that did not ask for it (RFC 6531 §3.7.4.2).
func speakable(reply *smtp.Reply, takesUTF8 bool) *smtp.Reply {
	if takesUTF8 {
		return reply
	}
	for _, line := range reply.Lines {
		for i := 0; i < len(line); i++ {
			if line[i] >= utf8.RuneSelf {
				return needsUTF8Reply()
			}
		}
	}
	return reply
}

// needsUTF8Reply is the answer where a true one would have to hold UTF-8 (RFC 6531 §3.7.4.2).
func needsUTF8Reply() *smtp.Reply {
	return smtp.NewReply(smtp.CodeCannotVerify, smtp.Enhanced{2, 6, 8}, "The answer is not ASCII; ask with SMTPUTF8")
}
