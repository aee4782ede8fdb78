package smtpserver

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"muster/smtp"
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("smtpserver: server closed")

// Server serves SMTP, or LMTP, on any number of listeners. Its fields are set before the first
// Serve and left alone then. Only Backend has no useful zero value.
type Server struct {
	Hostname string // what it calls itself; "localhost" if empty
	Backend  Backend
	Limits   Limits
	TLS      *tls.Config // offers STARTTLS if not nil
	LMTP     bool        // speaks LMTP instead of SMTP
	// Trusted says which addresses are exempt from the limits marked so in Limits; nil: none.
	// It is asked about the zero Addr for who comes by a unix socket, where the file's permissions
	// are the gate.
	Trusted        func(netip.Addr) bool
	AllowPlainAuth bool         // offers AUTH without TLS too
	SpoolDir       string       // for messages larger than Limits.Memory; "" is os.TempDir
	Log            *slog.Logger // nil: silent

	once     sync.Once
	host     string
	limits   Limits
	log      *slog.Logger
	commands map[string]command
	buffers  sync.Pool     // of *bufio.Reader
	stopping chan struct{} // closed by Shutdown
	taken    atomic.Int64  // sessions, for busy
	refused  refused

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]struct{}
	sessions  map[*session]context.CancelFunc
	clients   clients
	running   sync.WaitGroup // Serve calls and sessions
}

// prepare makes the working parts from the fields.
func (s *Server) prepare() {
	s.host = cmp.Or(s.Hostname, "localhost")
	s.limits = s.Limits.withDefaults()
	s.log = s.Log
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.commands = commands(s.LMTP)
	size := max(inBuffer, s.limits.AuthLine+1, s.limits.CommandLine+1)
	s.buffers.New = func() any { return bufio.NewReaderSize(nil, size) }
	s.stopping = make(chan struct{})
	s.listeners = make(map[net.Listener]struct{})
	s.sessions = make(map[*session]context.CancelFunc)
	s.clients.init()
}

// Shutdown stops listening, finishes the messages that are in flight, says 421 to everybody else and
// waits until all is still. If ctx ends first, it closes the connections that are left, waits for
// their sessions, and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.prepare)
	s.stop()
	still := make(chan struct{})
	go func() {
		s.running.Wait()
		close(still)
	}()
	select {
	case <-still:
		return nil
	case <-ctx.Done():
		s.abandon()
		<-still
		return ctx.Err()
	}
}

// stop lets nobody in any more and ends what is idle.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		close(s.stopping)
	}
	for l := range s.listeners {
		l.Close() // Serve sees the error
	}
	for session := range s.sessions {
		session.wire.interrupt()
	}
}

// abandon takes the connections and the contexts away from the sessions that are left.
func (s *Server) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session, cancel := range s.sessions {
		cancel()
		session.wire.kill()
	}
}

// busy says whether so many sessions are taken that slow ones must hurry.
func (s *Server) busy() bool {
	return s.taken.Load()*5 >= int64(s.limits.Sessions)*4
}

// newID makes a name for a session, for people to find its lines in a log.
func newID() string { return rand.Text()[:10] }

// refused counts replies by whether trying again may help.
type refused struct{ temporary, permanent atomic.Int64 }

func (c *refused) add(r *smtp.Reply) {
	switch r.Code / 100 {
	case 4:
		c.temporary.Add(1)
	case 5:
		c.permanent.Add(1)
	}
}

// Refused is how many replies said no since the server was made: 4xx and 5xx.
func (s *Server) Refused() (temporary, permanent int64) {
	return s.refused.temporary.Load(), s.refused.permanent.Load()
}
