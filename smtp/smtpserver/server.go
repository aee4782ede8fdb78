package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
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
	// Who comes by a unix socket is trusted: its file's permissions are the gate.
	Trusted        func(netip.Addr) bool
	AllowPlainAuth bool         // offers AUTH without TLS too
	SpoolDir       string       // for messages larger than Limits.Memory; "" is os.TempDir
	Log            *slog.Logger // nil: silent

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]context.CancelFunc
	sessions  map[*session]struct{}
	clients   clients
	running   sync.WaitGroup // Serve calls and sessions
}

// Serve accepts connections on l and serves each until it ends. It closes l and returns
// ErrServerClosed after Shutdown, or the listener's error when the listener has failed for good.
func (s *Server) Serve(l net.Listener) error {
	panic("being written")
}

// Shutdown stops listening, finishes the messages that are in flight, says 421 to everybody else and
// waits until all is still. If ctx ends first, it closes the connections that are left, waits for
// their sessions, and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	panic("being written")
}

type session struct{}
type clients struct{ _ time.Time }
