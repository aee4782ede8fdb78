package smtpserver

import (
	"context"
	"errors"
	"strconv"

	"muster/smtp"
)

// mail is MAIL (RFC 5321 §4.1.1.2).
func (s *session) mail(ctx context.Context, arg string) (*smtp.Reply, error) {
	switch {
	case s.client.Hello == "":
		return sequence("Say hello first"), nil
	case s.tx.open:
		return sequence("MAIL was said already; RSET begins again"), nil
	}
	from, params, refusal := s.readMail(arg)
	if refusal == nil {
		ok := smtp.NewReply(smtp.CodeOK, smtp.Enhanced{2, 1, 0}, "Sender ok")
		refusal = s.answer("sender", s.backend.Mail(ctx, from, params), ok)
	}
	s.tx = transaction{from: from, params: params, open: refusal.Positive(), refused: !refusal.Positive()}
	return refusal, nil
}

// readMail reads the argument of MAIL, or says what is wrong with it.
func (s *session) readMail(arg string) (smtp.Address, MailParams, *smtp.Reply) {
	path, ok := cutKeyword(arg, "FROM:")
	if !ok {
		return smtp.Address{}, MailParams{}, syntax("MAIL FROM:<address>")
	}
	from, rest, err := smtp.ParsePath(path)
	switch {
	case errors.Is(err, smtp.ErrPath):
		return from, MailParams{}, syntax("MAIL FROM:<address>")
	case err != nil || from.Domain == "" && !from.IsZero():
		return from, MailParams{}, badAddress(smtp.Enhanced{5, 1, 7}, err)
	}
	params, refusal := s.mailParams(rest)
	if refusal == nil && !from.ASCII() && !params.UTF8 {
		refusal = needsUTF8()
	}
	return from, params, refusal
}

// badAddress is the reply to a path that holds no mailbox. It counts as a refused address and
// not as a protocol error: the client hands on what somebody wrote.
func badAddress(e smtp.Enhanced, err error) *smtp.Reply {
	if errors.Is(err, smtp.ErrAddressLong) {
		return smtp.NewReply(smtp.CodeMailboxName, e, "That address is too long")
	}
	return smtp.NewReply(smtp.CodeMailboxName, e, "That is not an address of the form name@domain")
}

// needsUTF8 is the reply to an address above ASCII in a transaction without SMTPUTF8 (RFC 6531
// §3.5).
func needsUTF8() *smtp.Reply {
	return smtp.NewReply(smtp.CodeMailboxName, smtp.Enhanced{5, 6, 7}, "An address beyond ASCII needs MAIL with SMTPUTF8")
}

// mailParams reads the parameters of MAIL.
func (s *session) mailParams(rest string) (p MailParams, refusal *smtp.Reply) {
	params, refusal := s.params(rest)
	for _, param := range params {
		switch param.Key {
		case "SIZE":
			p.Size, refusal = s.declaredSize(param.Value)
		case "BODY":
			p.EightBit, refusal = bodyParam(param.Value)
		case "SMTPUTF8":
			p.UTF8, refusal = true, noValue(param)
		case "AUTH":
			p.Auth, refusal = authParam(param.Value)
		default:
			refusal = noParam(param.Key)
		}
		if refusal != nil {
			return MailParams{}, refusal
		}
	}
	return p, refusal
}

// params reads the parameters of MAIL or RCPT, of which there are none after HELO (RFC 5321
// §4.1.1.11).
func (s *session) params(rest string) ([]smtp.Param, *smtp.Reply) {
	if rest == "" {
		return nil, nil
	}
	if rest[0] != ' ' {
		return nil, syntax("one space between address and parameters")
	}
	params, err := smtp.ParseParams(rest)
	switch {
	case err != nil:
		return nil, syntax("KEYWORD=value, each once")
	case len(params) > 0 && !s.client.Extended:
		return nil, smtp.NewReply(smtp.CodeNoParam, smtp.Enhanced{5, 5, 4}, "Parameters need EHLO")
	}
	return params, nil
}

// declaredSize is SIZE=n (RFC 1870 §6.1: up to 20 digits, which is more than 63 bits).
func (s *session) declaredSize(value string) (int64, *smtp.Reply) {
	n, err := strconv.ParseUint(value, 10, 63)
	switch {
	case errors.Is(err, strconv.ErrRange) && len(value) <= 20, err == nil && int64(n) > s.limits.Message:
		return 0, tooBig()
	case err != nil:
		return 0, syntax("SIZE=octets")
	}
	return int64(n), nil
}

// bodyParam is BODY=7BIT or BODY=8BITMIME (RFC 6152 §3). BINARYMIME is not offered: what is binary
// could not be sent on to a server that takes lines only.
func bodyParam(value string) (eightBit bool, refusal *smtp.Reply) {
	switch {
	case equalFold(value, "7BIT"):
		return false, nil
	case equalFold(value, "8BITMIME"):
		return true, nil
	}
	return false, smtp.NewReply(smtp.CodeNoParam, smtp.Enhanced{5, 5, 4}, "BODY is 7BIT or 8BITMIME here")
}

// authParam is AUTH=<> or AUTH=xtext (RFC 4954 §5).
func authParam(value string) (string, *smtp.Reply) {
	who, err := smtp.DecodeXtext(value)
	if err != nil || who == "" {
		return "", syntax("AUTH=mailbox or AUTH=<>")
	}
	return who, nil
}

func noValue(p smtp.Param) *smtp.Reply {
	if p.Value == "" {
		return nil
	}
	return syntax(p.Key + " takes no value")
}

func noParam(key string) *smtp.Reply {
	return smtp.NewReply(smtp.CodeNoParam, smtp.Enhanced{5, 5, 4}, "Parameter not known here: "+key)
}
