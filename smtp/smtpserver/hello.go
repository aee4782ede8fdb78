package smtpserver

import (
	"context"
	"strconv"
	"strings"

	"muster/smtp"
)

// maxHello is the longest name a client may give itself.
const maxHello = smtp.MaxDomain

// helo is HELO (RFC 5321 §4.1.1.1): no extensions, no enhanced codes.
func (s *session) helo(_ context.Context, arg string) (*smtp.Reply, error) {
	name, ok := helloName(arg)
	if !ok {
		return syntax("HELO your.host.name"), nil
	}
	s.hello(name, false)
	return smtp.NewReply(smtp.CodeOK, smtp.Enhanced{}, s.greeting()), nil
}

// ehlo is EHLO, and LHLO under LMTP.
func (s *session) ehlo(_ context.Context, arg string) (*smtp.Reply, error) {
	name, ok := helloName(arg)
	if !ok {
		return syntax("EHLO your.host.name"), nil
	}
	s.hello(name, true)
	return &smtp.Reply{Code: smtp.CodeOK, Lines: append([]string{s.greeting()}, s.extensions()...)}, nil
}

// wrongHello is HELO and EHLO under LMTP.
func (s *session) wrongHello(context.Context, string) (*smtp.Reply, error) {
	return smtp.NewReply(smtp.CodeUnknown, smtp.StatusBadSequence, "This is LMTP: say LHLO"), nil
}

// helloName is the name in the argument. Any word will do: RFC 5321 §4.1.4 forbids refusing mail
// over a name that is not true, and many a host does not know its own.
func helloName(arg string) (string, bool) {
	name, _, _ := strings.Cut(arg, " ")
	if name == "" || len(name) > maxHello {
		return "", false
	}
	for i := 0; i < len(name); i++ {
		if name[i] <= ' ' || name[i] > '~' {
			return "", false
		}
	}
	return name, true
}

// hello begins again: the state is as RSET leaves it (RFC 5321 §4.1.4).
func (s *session) hello(name string, extended bool) {
	s.reset()
	s.client.Hello, s.client.Extended = name, extended
}

func (s *session) greeting() string { return s.server.host + " greets " + s.client.Hello }

// extensions are the lines of the answer to EHLO, one an extension.
func (s *session) extensions() []string {
	lines := []string{
		"PIPELINING",
		"SIZE " + strconv.FormatInt(s.limits.Message, 10),
		"8BITMIME",
		"SMTPUTF8",
		"ENHANCEDSTATUSCODES",
		"CHUNKING",
		"LIMITS RCPTMAX=" + strconv.Itoa(s.limits.Recipients),
	}
	if s.offersTLS() {
		lines = append(lines, "STARTTLS")
	}
	if s.offersAuth() {
		lines = append(lines, "AUTH PLAIN LOGIN")
	}
	if s.offersExpn() {
		lines = append(lines, "EXPN")
	}
	return append(lines, "VRFY", "HELP")
}
