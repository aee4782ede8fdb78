package smtpserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"muster/smtp"
)

// session is one connection's conversation.
type session struct {
	server  *Server
	limits  *Limits
	client  Client
	peer    *peer
	wire    wire
	backend Session
	log     *slog.Logger
	command command // being obeyed
	tx      transaction
	intake  intake

	faults       int // protocol errors
	idle         int // commands since a message was accepted
	strangers    int // recipients refused
	authFailures int
}

// transaction is what one message has so far.
type transaction struct {
	from       smtp.Address
	params     MailParams
	open       bool // MAIL was accepted
	refused    bool // MAIL was refused: what was pipelined behind it is no protocol error
	recipients int  // accepted
	rejected   int  // refused
	excused    int  // commands out of order because of that
	chunks     bool // BDAT has begun
}

func newSession(s *Server, conn net.Conn) *session {
	c := &session{server: s, limits: &s.limits}
	c.client = Client{ID: newID(), Addr: remoteAddr(conn), Local: conn.LocalAddr(), LMTP: s.LMTP}
	c.client.Trusted = s.isTrusted(c.client.Addr.Addr())
	c.intake.limits = c.limits
	c.intake.spool = spool{dir: s.SpoolDir, memory: s.limits.Memory}
	c.wire.conn = conn
	c.wire.writeTimeout = s.limits.Command
	return c
}

// run holds the conversation from the greeting to the end.
func (s *session) run(ctx context.Context) {
	s.log = s.server.log.With("session", s.client.ID, "client", s.client.Addr.String())
	s.wire.in = s.server.buffers.Get().(*bufio.Reader)
	s.wire.in.Reset(&s.wire)
	s.wire.out = bufio.NewWriterSize(&s.wire, outBuffer)
	defer s.giveBack()
	err := s.greet(ctx)
	if err == nil {
		err = s.converse(ctx)
	}
	s.part(err)
}

// giveBack returns what the session holds. A panic ends this session and no other: what one
// message does must not keep the others from arriving.
func (s *session) giveBack() {
	if p := recover(); p != nil {
		s.log.Error("session panicked", "panic", p, "stack", string(debug.Stack()))
	}
	s.wire.kill()
	if s.backend != nil {
		s.backend.Close()
	}
	s.intake.discard()
	s.wire.in.Reset(nil)
	s.server.buffers.Put(s.wire.in)
}

// greet opens the conversation (RFC 5321 §4.3.1).
func (s *session) greet(ctx context.Context) error {
	if conn, ok := s.wire.conn.(*tls.Conn); ok {
		if err := s.handshake(ctx, conn); err != nil {
			return err
		}
	}
	backend, err := s.server.Backend.NewSession(ctx, &s.client)
	if err != nil {
		return s.turnAway(err)
	}
	s.backend = backend
	protocol := " ESMTP Muster"
	if s.client.LMTP {
		protocol = " LMTP Muster"
	}
	return s.write(smtp.NewReply(smtp.CodeReady, smtp.Enhanced{}, s.server.host+protocol))
}

// turnAway greets with a refusal.
func (s *session) turnAway(err error) error {
	reply := s.answer("session", err, nil)
	if reply.Code != smtp.CodeUnavailable && reply.Code != smtp.CodeFailed {
		reply = s.goodbye("Not available now; try again later")
	}
	if err := s.write(reply); err != nil {
		return err
	}
	return errTold
}

// converse obeys commands until the client quits, goes away, or is sent away.
func (s *session) converse(ctx context.Context) error {
	for {
		reply, err := s.next(ctx)
		if err != nil {
			return err
		}
		if reply == nil { // STARTTLS has said it before the handshake
			continue
		}
		reply = s.count(reply)
		if err := s.write(reply); err != nil {
			return err
		}
		switch reply.Code {
		case smtp.CodeClosing:
			return errQuit
		case smtp.CodeUnavailable:
			return errTold
		}
	}
}

// next reads a command and obeys it. The commands that may be refused for more than their own
// reasons are refused here.
func (s *session) next(ctx context.Context) (*smtp.Reply, error) {
	s.command = command{}
	s.wire.expect(s.commandPatience())
	line, err := s.readCommand()
	if err != nil {
		return lineFault(err)
	}
	verb, arg := cutVerb(line)
	if hasControl(line) {
		return smtp.NewReply(smtp.CodeSyntax, smtp.StatusBadSyntax, "Control characters in a command"), nil
	}
	known := false
	if s.command, known = s.server.commands[string(verb)]; !known {
		return smtp.NewReply(smtp.CodeUnknown, smtp.StatusBadSequence, "Not a command here; HELP lists them"), nil
	}
	if s.command.idle && s.isIdle() {
		return s.goodbyeFor(smtp.Enhanced{4, 7, 0}, "Too many commands without a message"), nil
	}
	return s.command.run(s, ctx, string(arg))
}

func (s *session) readCommand() ([]byte, error) {
	line, err := s.wire.readLine(max(s.limits.CommandLine, s.limits.AuthLine))
	if err == nil && len(line)+2 > s.limits.CommandLine && !isAuth(line) {
		return nil, errLongLine
	}
	return line, err
}

// lineFault is what to say of a line that is none.
func lineFault(err error) (*smtp.Reply, error) {
	switch err {
	case errLongLine:
		return smtp.NewReply(smtp.CodeUnknown, smtp.StatusBadSyntax, "Line too long"), nil
	case errBareLF:
		return smtp.NewReply(smtp.CodeUnknown, smtp.StatusBadSyntax, "A line must end with CR LF"), nil
	}
	return nil, err
}

// isIdle counts a command that brings no message nearer.
func (s *session) isIdle() bool {
	s.idle++
	return s.idle > s.limits.Idle && !s.client.Trusted
}

// count notes a protocol error and, when it is one too many, says goodbye instead. That a sender or
// a recipient was refused is none, and neither are the commands pipelined behind it (RFC 2920
// §3.1): who sends to a list with many dead addresses does nothing wrong.
func (s *session) count(r *smtp.Reply) *smtp.Reply {
	switch r.Code {
	case smtp.CodeSequence:
		if s.isExcused() {
			return r
		}
	case smtp.CodeUnknown, smtp.CodeSyntax, smtp.CodeNotImplemented, smtp.CodeParamUnknown, smtp.CodeNoParam:
	default:
		return r
	}
	if s.faults++; s.faults <= s.limits.Errors {
		return r
	}
	return s.goodbyeFor(smtp.Enhanced{4, 7, 0}, "Too many errors")
}

// isExcused says whether a command out of order may follow from a refusal: the client pipelined it
// before it could know. It can have pipelined no more than a transaction holds.
func (s *session) isExcused() bool {
	s.tx.excused++
	return (s.tx.refused || s.tx.rejected > 0) && s.tx.excused <= s.limits.Recipients+1
}

// write puts a reply on its way, with an enhanced code where RFC 2034 §4 wants one.
func (s *session) write(r *smtp.Reply) error {
	s.server.refused.add(r)
	return s.wire.write(r, s.client.Extended && !s.command.plain)
}

// answer is the reply to what the backend said about something: yes if it said nothing.
func (s *session) answer(what string, err error, yes *smtp.Reply) *smtp.Reply {
	if err == nil {
		return yes
	}
	var reply *smtp.Reply
	if errors.As(err, &reply) {
		return reply
	}
	s.log.Error("no decision", "about", what, "error", err)
	return smtp.NewReply(smtp.CodeLocalError, smtp.StatusLater, "Local trouble; try again later")
}

// reset forgets the transaction.
func (s *session) reset() {
	s.tx = transaction{}
	s.intake.discard()
	s.backend.Reset()
}

// commandPatience is how long a command may take to arrive.
func (s *session) commandPatience() patience {
	if s.server.busy() {
		return patience{whole: min(s.limits.Command, s.limits.CommandBusy), idle: true}
	}
	return patience{whole: s.limits.Command, idle: true}
}

// dataPatience is how long a message, or a chunk of one, may take.
func (s *session) dataPatience() patience {
	p := patience{whole: s.limits.Data, pause: s.limits.DataPause, rate: s.limits.DataRate}
	if s.server.busy() {
		p.pause = min(p.pause, s.limits.CommandBusy)
	}
	return p
}

// delay lets the client wait, but not longer than the server lives.
func (s *session) delay(d time.Duration) {
	if d > 0 {
		s.server.sleep(d)
	}
}
