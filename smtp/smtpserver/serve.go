package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	// The wait after a failed Accept, most often for want of file descriptors: it grows while
	// they stay away.
	minBackOff = 5 * time.Millisecond
	maxBackOff = time.Second

	// refusing bounds how long a connection that is refused at once may hold up the next one.
	refusing = 100 * time.Millisecond
)

// Serve accepts connections on l and serves each until it ends. It closes l and returns
// ErrServerClosed after Shutdown, or the listener's error when the listener has failed for good.
func (s *Server) Serve(l net.Listener) error {
	s.once.Do(s.prepare)
	defer l.Close() // it is no longer of use to anybody
	if !s.enter(l) {
		return ErrServerClosed
	}
	defer s.leave(l)
	for wait := minBackOff; ; {
		conn, err := l.Accept()
		switch {
		case err == nil:
			wait = minBackOff
			s.take(conn)
		case s.isClosing():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		default:
			s.log.Error("accept failed", "listener", l.Addr().String(), "error", err, "wait", wait)
			s.sleep(wait)
			wait = min(2*wait, maxBackOff)
		}
	}
}

func (s *Server) enter(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	s.running.Add(1)
	return true
}

func (s *Server) leave(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.running.Done()
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// sleep waits, but not into a shutdown.
func (s *Server) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stopping:
	}
}

// take gives a connection its session, or says why it gets none.
func (s *Server) take(conn net.Conn) {
	c := newSession(s, conn)
	ctx, cancel := context.WithCancel(context.Background())
	if why := s.admit(c, cancel); why != "" {
		cancel()
		s.log.Info("connection refused", "client", c.client.Addr.String(), "why", why)
		refuse(conn, "421 "+s.host+" "+why+"; try again later\r\n")
		return
	}
	go func() {
		defer s.release(c)
		defer cancel()
		c.run(ctx)
	}()
}

// refuse says one line and hangs up. A client that wants TLS first is not waited for.
func refuse(conn net.Conn, line string) {
	if _, isTLS := conn.(*tls.Conn); !isTLS {
		conn.SetDeadline(time.Now().Add(refusing)) // then the write fails too
		conn.Write([]byte(line))                   // it is told if it listens
	}
	conn.Close() // as above
}

// admit enters a session, or says what stands against it.
func (s *Server) admit(c *session, cancel context.CancelFunc) (why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.peer = s.clients.get(c.client.Addr.Addr())
	switch {
	case s.closing:
		return "Shutting down"
	case c.client.Trusted:
	case len(s.sessions) >= s.limits.Sessions:
		return "Too many connections"
	case c.peer.sessions >= s.limits.SessionsPerClient:
		return "Too many connections from you"
	}
	wasBusy := s.busy()
	c.peer.sessions++
	s.sessions[c] = cancel
	s.taken.Store(int64(len(s.sessions)))
	s.running.Add(1)
	if !wasBusy && s.busy() {
		for other := range s.sessions {
			other.wire.hurry(s.limits.CommandBusy)
		}
	}
	return ""
}

// release takes a session off the books.
func (s *Server) release(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.peer.sessions--
	delete(s.sessions, c)
	s.taken.Store(int64(len(s.sessions)))
	s.running.Done()
}

// isTrusted says whether the limits for strangers are not for this one.
func (s *Server) isTrusted(addr netip.Addr) bool { return s.Trusted != nil && s.Trusted(addr) }

// remoteAddr is the client's address; the zero value if it has none.
func remoteAddr(conn net.Conn) netip.AddrPort {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	a := tcp.AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
