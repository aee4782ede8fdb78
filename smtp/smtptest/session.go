package smtptest

import (
	"context"
	"errors"
	"io"
	"time"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// errDropped is returned to a server whose connection a script has closed: nobody hears it.
var errDropped = errors.New("smtptest: connection dropped")

type backend struct{ server *Server }

// NewSession is smtpserver.Backend's.
func (b backend) NewSession(_ context.Context, c *smtpserver.Client) (smtpserver.Session, error) {
	s := &session{server: b.server, client: c, conn: b.server.conn(c.Addr)}
	s.conn.attach(s)
	if err := s.act(Event{Point: Connect}); err != nil {
		return nil, err
	}
	if b.server.options.users != nil {
		return authSession{s}, nil
	}
	return s, nil
}

// session is a connection to the server.
type session struct {
	server *Server
	client *smtpserver.Client
	conn   *conn
	from   smtp.Address
	params smtpserver.MailParams
	to     []smtp.Address
}

// act asks the script and does what it says; the error is the refusal.
func (s *session) act(e Event) error {
	e.Conn = s.conn.n
	e.From = s.from
	a := s.server.ask(e)
	switch {
	case a.Drop:
		s.conn.drop()
		return errDropped
	case a.Reply != nil:
		return a.Reply
	}
	return nil
}

// Mail is smtpserver.Session's.
func (s *session) Mail(_ context.Context, from smtp.Address, p smtpserver.MailParams) error {
	s.from, s.params = from, p
	return s.act(Event{Point: Mail})
}

// Rcpt is smtpserver.Session's.
func (s *session) Rcpt(_ context.Context, to smtp.Address, _ smtpserver.RcptParams) error {
	if err := s.act(Event{Point: Rcpt, To: to}); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

// Data is smtpserver.Session's.
func (s *session) Data(_ context.Context, m *smtpserver.Message) error {
	if s.server.options.discard {
		return s.discard(m)
	}
	kept, err := s.message(m)
	if err != nil {
		return err
	}
	if err := s.act(Event{Point: Dot, Message: kept}); err != nil {
		return err
	}
	s.server.keep(kept)
	return s.act(Event{Point: Kept, Message: kept})
}

// discard only counts.
func (s *session) discard(m *smtpserver.Message) error {
	if err := s.act(Event{Point: Dot}); err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.octets += m.Size
	s.server.count(len(s.to))
	s.server.mu.Unlock()
	return s.act(Event{Point: Kept})
}

func (s *session) message(m *smtpserver.Message) (*Message, error) {
	r := m.Open()
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	kept := &Message{
		Conn: s.conn.n, Hello: s.client.Hello, TLS: s.client.TLS, User: s.client.User,
		From: s.from, To: append([]smtp.Address(nil), s.to...), Params: s.params,
		Data: data, At: time.Now(),
	}
	kept.ID = kept.Header("Message-ID")
	return kept, nil
}

// Reset is smtpserver.Session's.
func (s *session) Reset() { s.from, s.params, s.to = smtp.Address{}, smtpserver.MailParams{}, s.to[:0] }

// Close is smtpserver.Session's.
func (s *session) Close() {}

// authSession is a session of a server with users.
type authSession struct{ *session }

// Authenticate is smtpserver.Authenticator's.
func (s authSession) Authenticate(_ context.Context, user, password string) error {
	if want, ok := s.server.options.users[user]; ok && want == password {
		return nil
	}
	return smtp.NewReply(smtp.CodeAuthFailed, smtp.Enhanced{5, 7, 8}, "Wrong user or password")
}
