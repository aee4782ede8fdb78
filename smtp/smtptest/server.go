package smtptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	t       testing.TB
	options options
	addr    string
	roots   *x509.CertPool
	tls     *tls.Config

	deliveries sync.WaitGroup // of late connections

	mu       sync.Mutex
	running  *smtpserver.Server
	done     chan struct{} // Serve has returned
	scripts  [points]func(Event) Action
	answers  map[string][]*smtp.Reply // by Key of the recipient
	tries    map[string]int
	seen     [points]int
	messages []*Message
	copies   int
	octets   int64
	byKey    map[Copy]int
	conns    map[netip.AddrPort]*conn
	accepted int
	open     int
	peak     int
	waiters  map[chan struct{}]struct{}
}

// Copy is one recipient's copy of a message.
type Copy struct {
	MessageID string // "" at a server with Discard
	Recipient string // smtp.Address.Key
}

// NewServer starts a server on a free port of 127.0.0.1, and stops it at the end of the test.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{
		t:       t,
		addr:    "127.0.0.1:0",
		answers: make(map[string][]*smtp.Reply),
		tries:   make(map[string]int),
		byKey:   make(map[Copy]int),
		conns:   make(map[netip.AddrPort]*conn),
		waiters: make(map[chan struct{}]struct{}),
	}
	for _, o := range opts {
		o(&s.options)
	}
	if s.options.startTLS {
		s.tls, s.roots = certificate(t)
	}
	if c := s.options.cert; c != nil {
		s.tls = &tls.Config{Certificates: []tls.Certificate{*c}}
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Addr is where the server listens, "127.0.0.1:port".
func (s *Server) Addr() string { return s.addr }

// ClientTLS trusts the certificate of a server with StartTLS, for the names "localhost" and
// 127.0.0.1.
func (s *Server) ClientTLS() *tls.Config { return &tls.Config{RootCAs: s.roots} }

// ServerTLS is the server's own side of ClientTLS, for a test that speaks for itself.
func (s *Server) ServerTLS() *tls.Config { return s.tls.Clone() }

// Start makes a stopped server listen again, on the address it had.
func (s *Server) Start() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatalf("smtptest: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = l.Addr().String()
	s.running, s.done = s.newServer(), make(chan struct{})
	l = &listener{Listener: l, server: s}
	if s.options.implicit {
		l = tls.NewListener(l, s.tls)
	}
	go func(server *smtpserver.Server, done chan struct{}) {
		defer close(done)
		if err := server.Serve(l); err != smtpserver.ErrServerClosed {
			s.t.Errorf("smtptest: serve: %v", err)
		}
	}(s.running, s.done)
}

func (s *Server) newServer() *smtpserver.Server {
	return &smtpserver.Server{
		Hostname:       "far.example",
		Backend:        backend{s},
		TLS:            s.tls,
		Trusted:        func(netip.Addr) bool { return true },
		AllowPlainAuth: true,
		Limits: smtpserver.Limits{
			Sessions: 1 << 20, Recipients: s.options.maxRcpt, Errors: 1 << 20,
			Message: 1 << 30, Header: 16 << 20, HeaderFields: 1 << 20, Hops: 1 << 20, TextLine: 1 << 20,
		},
	}
}

// Stop closes the listener and every connection: the server is down. What it has kept stays.
func (s *Server) Stop() {
	s.mu.Lock()
	running, done := s.running, s.done
	s.running = nil
	s.mu.Unlock()
	if running == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = running.Shutdown(now) // the context's error: connections were open
	<-done
	s.deliveries.Wait()
}

// Script sets what happens at a point; nil takes it back. It runs in the connection's goroutine:
// blocking in it holds up that connection and no other.
func (s *Server) Script(p Point, f func(Event) Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[p] = f
}

// Answer sets the replies that RCPT of one recipient gets the first, second, … time; nil, and any
// time after the last, is yes. It comes before a script.
func (s *Server) Answer(recipient string, replies ...*smtp.Reply) {
	a, err := smtp.ParseAddress(recipient)
	if err != nil {
		s.t.Fatalf("smtptest: %s: %v", recipient, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[a.Key()], s.tries[a.Key()] = replies, 0
}

// scripted says whether there is a script for any of the points.
func (s *Server) scripted(ps ...Point) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(ps, func(p Point) bool { return s.scripts[p] != nil })
}

// ask runs the script of the event's point.
func (s *Server) ask(e Event) Action {
	s.mu.Lock()
	s.seen[e.Point]++
	e.N = s.seen[e.Point]
	f := s.scripts[e.Point]
	var listed *smtp.Reply
	if e.Point == Rcpt && (f != nil || len(s.answers) > 0) {
		key := e.To.Key()
		s.tries[key]++
		e.Try = s.tries[key]
		if replies := s.answers[key]; e.Try <= len(replies) {
			listed = replies[e.Try-1]
		}
	}
	s.mu.Unlock()
	switch {
	case listed != nil:
		return Refuse(listed)
	case f == nil:
		return Action{}
	}
	a := f(e)
	time.Sleep(a.Delay) // a scripted wait is what the test asked for
	return a
}

// keep records a message.
func (s *Server) keep(m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	for _, to := range m.To {
		s.byKey[Copy{m.ID, to.Key()}]++
	}
	s.octets += int64(len(m.Data))
	s.count(len(m.To))
}

// count adds copies and wakes who waits for them. s.mu is held.
func (s *Server) count(copies int) {
	s.copies += copies
	for w := range s.waiters {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
