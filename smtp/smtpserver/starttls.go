package smtpserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"muster/smtp"
)

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 30 * time.Second

// startTLS is STARTTLS (RFC 3207 §4).
func (s *session) startTLS(ctx context.Context, arg string) (*smtp.Reply, error) {
	switch {
	case arg != "":
		return syntax("STARTTLS stands alone"), nil
	case s.client.TLS:
		return sequence("TLS is on already"), nil
	case !s.offersTLS():
		return smtp.NewReply(smtp.CodeNotImplemented, smtp.StatusBadSequence, "There is no TLS here"), nil
	}
	if err := s.write(smtp.NewReply(smtp.CodeReady, smtp.StatusOK, "Begin TLS")); err != nil {
		return nil, err
	}
	if err := s.wire.out.Flush(); err != nil {
		return nil, err
	}
	if n := s.wire.in.Buffered(); n > 0 {
		s.log.Warn("input behind STARTTLS thrown away", "octets", n)
	}
	conn := tls.Server(s.wire.conn, s.server.TLS)
	s.wire.swap(conn)
	if err := s.handshake(ctx, conn); err != nil {
		return nil, err
	}
	s.forget()
	return nil, nil
}

func (s *session) offersTLS() bool { return s.server.TLS != nil && !s.client.TLS }

// handshake does the client's TLS handshake.
func (s *session) handshake(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, min(handshakeTimeout, s.limits.Command))
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		s.log.Info("TLS handshake failed", "error", err)
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	s.client.TLS = true
	return nil
}

// forget puts the session back to what it was after the greeting: what the client said in the
// clear, somebody else may have said (RFC 3207 §4.2).
func (s *session) forget() {
	s.reset()
	s.client.Hello, s.client.Extended, s.client.User = "", false, ""
}
