package smtpserver

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"muster/smtp"
)

const (
	// authDelay is what each wrong AUTH beyond Limits.AuthDelay adds to the wait before the next
	// answer, right or wrong, up to maxAuthDelay.
	authDelay    = time.Second
	maxAuthDelay = 5 * time.Second
)

// auth is AUTH (RFC 4954 §4).
func (s *session) auth(ctx context.Context, arg string) (*smtp.Reply, error) {
	if refusal := s.mayAuth(); refusal != nil {
		return refusal, nil
	}
	mechanism, initial, hasInitial := strings.Cut(arg, " ")
	var c credentials
	var refusal *smtp.Reply
	var err error
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		c, refusal, err = s.authPlain(initial, hasInitial)
	case "LOGIN":
		c, refusal, err = s.authLogin(initial, hasInitial)
	case "":
		refusal = syntax("AUTH PLAIN or AUTH LOGIN")
	default:
		refusal = smtp.NewReply(smtp.CodeParamUnknown, smtp.Enhanced{5, 5, 4}, "PLAIN and LOGIN are the mechanisms here")
	}
	if refusal != nil || err != nil {
		return refusal, err
	}
	return s.authenticate(ctx, c), nil
}

// credentials are what a mechanism brings home.
type credentials struct{ user, password string }

func (s *session) offersAuth() bool {
	_, ok := s.backend.(Authenticator)
	return ok && (s.client.TLS || s.server.AllowPlainAuth)
}

// mayAuth says why AUTH cannot be used now; nil if it can.
func (s *session) mayAuth() *smtp.Reply {
	_, ok := s.backend.(Authenticator)
	switch {
	case !ok:
		return smtp.NewReply(smtp.CodeNotImplemented, smtp.StatusBadSequence, "There is no AUTH here")
	case !s.offersAuth():
		return smtp.NewReply(smtp.CodeEncryption, smtp.Enhanced{5, 7, 11}, "AUTH needs TLS: STARTTLS first")
	case !s.client.Extended:
		return sequence("Say EHLO first")
	case s.client.User != "":
		return sequence("You are known already")
	case s.tx.open:
		return sequence("AUTH cannot be used within a transaction")
	}
	return nil
}

// authPlain is the mechanism PLAIN (RFC 4616): whom to act for, user, password.
func (s *session) authPlain(initial string, hasInitial bool) (credentials, *smtp.Reply, error) {
	response, refusal, err := s.response("", initial, hasInitial)
	if refusal != nil || err != nil {
		return credentials{}, refusal, err
	}
	parts := strings.Split(response, "\x00")
	if len(parts) != 3 || parts[1] == "" {
		return credentials{}, badResponse(), nil
	}
	if parts[0] != "" && parts[0] != parts[1] {
		// Acting for somebody else is not offered; RFC 4616 §2 makes that a plain no.
		return credentials{}, wrongAuth(), nil
	}
	return credentials{parts[1], parts[2]}, nil, nil
}

// authLogin is the mechanism LOGIN, which no RFC has and many clients do.
func (s *session) authLogin(initial string, hasInitial bool) (c credentials, refusal *smtp.Reply, err error) {
	if c.user, refusal, err = s.response("Username:", initial, hasInitial); refusal != nil || err != nil {
		return c, refusal, err
	}
	if c.password, refusal, err = s.response("Password:", "", false); refusal == nil && err == nil && c.user == "" {
		refusal = badResponse()
	}
	return c, refusal, err
}

// response gets one response of the client: the one that came with the command, or the answer to a
// challenge.
func (s *session) response(challenge, initial string, hasInitial bool) (string, *smtp.Reply, error) {
	if !hasInitial {
		line, refusal, err := s.challenge(challenge)
		if refusal != nil || err != nil {
			return "", refusal, err
		}
		initial = line
	} else if initial == "=" { // RFC 4954 §4: an empty initial response
		initial = ""
	}
	decoded, err := base64.StdEncoding.DecodeString(initial)
	if err != nil || !utf8.Valid(decoded) {
		return "", badResponse(), nil
	}
	return string(decoded), nil, nil
}

// challenge sends 334 and reads the line that answers it.
func (s *session) challenge(text string) (string, *smtp.Reply, error) {
	text = base64.StdEncoding.EncodeToString([]byte(text))
	if err := s.write(smtp.NewReply(smtp.CodeAuthContinue, smtp.Enhanced{}, text)); err != nil {
		return "", nil, err
	}
	s.wire.expect(s.commandPatience())
	line, err := s.wire.readLine(s.limits.AuthLine)
	switch {
	case errors.Is(err, errLongLine):
		return "", smtp.NewReply(smtp.CodeUnknown, smtp.Enhanced{5, 5, 6}, "Line too long"), nil
	case err != nil:
		refusal, err := lineFault(err)
		return "", refusal, err
	case string(line) == "*": // RFC 4954 §4: the client gives it up
		return "", smtp.NewReply(smtp.CodeSyntax, smtp.Enhanced{5, 7, 0}, "AUTH given up"), nil
	}
	return string(line), nil, nil
}

// authenticate asks the backend.
func (s *session) authenticate(ctx context.Context, c credentials) *smtp.Reply {
	s.delay(s.authWait())
	err := s.backend.(Authenticator).Authenticate(ctx, c.user, c.password)
	if err == nil {
		s.client.User = c.user
		return smtp.NewReply(smtp.CodeAuthOK, smtp.Enhanced{2, 7, 0}, "Welcome")
	}
	reply := s.answer("AUTH", err, nil)
	if reply.Code != smtp.CodeAuthFailed {
		return reply
	}
	s.log.Warn("AUTH refused", "user", c.user)
	s.peer.authFailed()
	if s.authFailures++; s.authFailures >= s.limits.AuthErrors {
		return s.goodbyeFor(smtp.Enhanced{4, 7, 0}, "Too many wrong passwords")
	}
	return wrongAuth()
}

// authWait is the wait that earlier failures have earned. It comes before the answer is known, so
// that it tells nothing. What others did from the same address counts too, but not where it is a
// trusted one: a relay or a webmail speaks for many people.
func (s *session) authWait() time.Duration {
	failures := s.authFailures
	if !s.client.Trusted {
		failures = max(failures, s.peer.authFailures())
	}
	return min(time.Duration(failures-s.limits.AuthDelay+1)*authDelay, maxAuthDelay)
}

// wrongAuth is one text for every reason: which part was wrong is nobody's business.
func wrongAuth() *smtp.Reply {
	return smtp.NewReply(smtp.CodeAuthFailed, smtp.Enhanced{5, 7, 8}, "User or password is wrong")
}

func badResponse() *smtp.Reply {
	return smtp.NewReply(smtp.CodeSyntax, smtp.StatusBadSyntax, "That is not what the mechanism asks for")
}
