package smtpclient

import (
	"errors"
	"fmt"

	"muster/smtp"
)

// Stage is the part of the dialogue in which something happened.
type Stage string

// The stages in order.
const (
	StageConnect  Stage = "connect"
	StageGreeting Stage = "greeting"
	StageHello    Stage = "EHLO"
	StageTLS      Stage = "STARTTLS"
	StageAuth     Stage = "AUTH"
	StageMail     Stage = "MAIL"
	StageRcpt     Stage = "RCPT"
	StageData     Stage = "DATA"
	StageBody     Stage = "text"
	StageDot      Stage = "final dot"
	StageCopy     Stage = "copy" // LMTP: the answer to the text for one recipient
	StageReset    Stage = "RSET"
	StageIdle     Stage = "idle"
)

// Error is the end of a connection: it could not be made, it broke, the server said 421 or spoke
// something that is not SMTP.
type Error struct {
	Host  string // the address dialled
	Stage Stage
	// InDoubt: the final dot may have reached the server, and no answer came. The message may
	// have been taken.
	InDoubt bool
	// Reply is what the server gave as its reason, or nil: a 421, a greeting that is a refusal.
	Reply *smtp.Reply
	Err   error // never nil
}

// Error is the host, the stage and the cause.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Host, e.Stage, e.Err) }

// Unwrap is the cause; errors.As finds a *smtp.Reply in it where the server gave one.
func (e *Error) Unwrap() error { return e.Err }

// Causes an Error can wrap.
var (
	ErrProtocol   = errors.New("not a valid SMTP reply")
	ErrOutOfStep  = errors.New("reply out of step")
	ErrNoTLS      = errors.New("server does not offer STARTTLS")
	ErrNoAuth     = errors.New("server offers no AUTH mechanism that we speak")
	ErrPlainAuth  = errors.New("password not sent over a connection without verified TLS")
	ErrAborted    = errors.New("connection aborted")
	ErrSequence   = errors.New("call out of sequence")
	ErrNotStuffed = errors.New("text is not prepared: a line begins with a single dot")
)
