package smtpserver

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"muster/smtp"
)

// data is DATA (RFC 5321 §4.1.1.4).
func (s *session) data(ctx context.Context, arg string) (*smtp.Reply, error) {
	switch {
	case arg != "":
		return syntax("DATA stands alone"), nil
	case s.tx.chunks: // RFC 3030 §3
		return sequence("DATA cannot follow BDAT"), nil
	}
	if refusal := s.notReady(); refusal != nil {
		return refusal, nil
	}
	if err := s.write(smtp.NewReply(smtp.CodeStartMail, smtp.Enhanced{}, "Go ahead; end with a dot on a line of its own")); err != nil {
		return nil, err
	}
	s.intake.begin()
	if err := s.readDots(); err != nil {
		return nil, err
	}
	return s.deliver(ctx)
}

// notReady says why no message may follow yet; nil if one may.
func (s *session) notReady() *smtp.Reply {
	switch {
	case s.tx.refused:
		return sequence("The sender was refused")
	case !s.tx.open:
		return sequence("MAIL comes first")
	case s.tx.recipients == 0 && s.tx.rejected > 0:
		return sequence("No valid recipients")
	case s.tx.recipients == 0:
		return sequence("RCPT comes first")
	}
	return nil
}

// readDots takes the message in, up to its true end whatever is in it.
func (s *session) readDots() error {
	s.wire.expect(s.dataPatience())
	dots := dotReader{in: s.wire.in}
	for {
		piece, err := dots.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.intake.add(piece)
	}
}

// deliver hands over the message that has arrived, says what became of it, and ends the transaction.
func (s *session) deliver(ctx context.Context) (*smtp.Reply, error) {
	defer s.reset()
	m, refusal := s.intake.message()
	if s.intake.err != nil {
		s.log.Error("message not stored", "error", s.intake.err)
	}
	if s.client.LMTP {
		return s.deliverLMTP(ctx, m, refusal)
	}
	reply := refusal
	if reply == nil {
		reply = s.answer("message", s.backend.Data(ctx, m), delivered())
	}
	s.decided(ctx, reply)
	return reply, nil
}

func delivered() *smtp.Reply {
	return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, "Message accepted")
}

// decided notes what became of a message: under LMTP for each recipient. Who took it says so; here it
// is told only where the log is to have everything.
func (s *session) decided(ctx context.Context, replies ...*smtp.Reply) {
	level := slog.LevelDebug
	for _, reply := range replies {
		if reply.Positive() {
			s.idle = 0
		} else {
			level = slog.LevelInfo
		}
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	texts := make([]string, 0, len(replies))
	for _, reply := range replies {
		texts = append(texts, reply.Error())
	}
	s.log.Log(ctx, level, "message", "from", s.tx.from.Wire(), "recipients", s.tx.recipients, "size", s.intake.size, "reply", texts)
}
