package smtpserver

import (
	"errors"
	"io"
	"os"

	"muster/smtp"
)

// The ways a conversation ends that are not the connection's.
var (
	errQuit = errors.New("client has quit")
	errTold = errors.New("client has been told why")
	errCut  = errors.New("answer was cut off")
)

// part ends the conversation, with a word where the client can still hear one.
func (s *session) part(err error) {
	switch {
	case errors.Is(err, errQuit), errors.Is(err, errCut):
		s.wire.close(false)
		return
	case errors.Is(err, errTold):
	case errors.Is(err, errStopped):
		s.lastWord(smtp.Enhanced{4, 3, 2}, "Shutting down")
	case errors.Is(err, errEndless):
		s.lastWord(smtp.Enhanced{4, 7, 0}, "That line has no end")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.log.Info("session timed out", "hello", s.client.Hello)
		s.lastWord(smtp.Enhanced{4, 4, 2}, "Too slow")
	default:
		if !errors.Is(err, io.EOF) {
			s.log.Debug("session broken off", "error", err)
		}
		return
	}
	s.wire.close(true)
}

func (s *session) lastWord(e smtp.Enhanced, why string) {
	if err := s.write(s.goodbyeFor(e, why)); err != nil {
		s.log.Debug("goodbye not heard", "error", err)
	}
}

// goodbye is 421, which names the server (RFC 5321 §4.2.3) and after which it hangs up.
func (s *session) goodbye(why string) *smtp.Reply {
	return s.goodbyeFor(smtp.StatusLater, why)
}

func (s *session) goodbyeFor(e smtp.Enhanced, why string) *smtp.Reply {
	return smtp.NewReply(smtp.CodeUnavailable, e, s.server.host+" "+why)
}
