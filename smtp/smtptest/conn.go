package smtptest

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"time"
)

// listener numbers the connections of a server and wraps them.
type listener struct {
	net.Listener
	server *Server
}

// Accept is net.Listener's.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.server.newConn(raw), nil
}

func (s *Server) newConn(raw net.Conn) *conn {
	key := raw.RemoteAddr().(*net.TCPAddr).AddrPort()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted++
	s.open++
	s.peak = max(s.peak, s.open)
	c := &conn{Conn: raw, server: s, key: key, n: s.accepted}
	if s.options.rtt > 0 {
		c.late = newLate(raw, s.options.rtt)
		s.deliveries.Go(c.late.run)
	}
	s.conns[key] = c
	return c
}

// conn is the one that came from addr.
func (s *Server) conn(addr netip.AddrPort) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[addr]
}

// conn is a connection that scripts can see into.
type conn struct {
	net.Conn
	server  *Server
	key     netip.AddrPort
	n       int
	late    *late
	session *session
	inText  bool // 354 has gone out, and no text has come
	closed  sync.Once
}

// attach gives it the session, before the first reply is written.
func (c *conn) attach(s *session) { c.session = s }

// drop closes it under the session.
func (c *conn) drop() { _ = c.Close() }

// Close is net.Conn's. A late connection still delivers what was said on it.
func (c *conn) Close() error {
	c.closed.Do(func() {
		if c.late == nil {
			_ = c.Conn.Close()
		} else {
			_ = c.Conn.SetReadDeadline(time.Now()) // a Read under way ends now
			close(c.late.end)
		}
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.open--
		if c.server.conns[c.key] == c {
			delete(c.server.conns, c.key)
		}
	})
	return nil
}

// Read is net.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.inText {
		c.inText = false
		if c.session.act(Event{Point: Text}) != nil {
			return 0, net.ErrClosed
		}
	}
	return n, err
}

// Write is net.Conn's.
func (c *conn) Write(p []byte) (int, error) {
	n := len(p)
	for _, keyword := range c.server.options.hidden {
		p = bytes.Replace(p, []byte("250-"+keyword+"\r\n"), nil, 1)
	}
	if at := find354(p); at >= 0 && c.server.scripted(Data, Text) {
		if _, err := c.send(p[:at]); err != nil {
			return 0, err
		}
		if c.session.act(Event{Point: Data}) != nil {
			return 0, net.ErrClosed
		}
		c.inText, p = true, p[at:]
	}
	if _, err := c.send(p); err != nil {
		return 0, err
	}
	return n, nil
}

// find354 is where in a write the invitation to send the text begins, or -1.
func find354(p []byte) int {
	if bytes.HasPrefix(p, []byte("354")) {
		return 0
	}
	if at := bytes.Index(p, []byte("\r\n354")); at >= 0 {
		return at + 2
	}
	return -1
}

func (c *conn) send(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.late == nil {
		return c.Conn.Write(p)
	}
	return c.late.Write(p)
}

// late writes what it is given some time later, in order, and then closes the connection.
type late struct {
	conn  net.Conn
	delay time.Duration
	queue chan latePiece
	end   chan struct{} // closed: nothing more comes
	gone  chan struct{} // closed: run has ended
}

type latePiece struct {
	due  time.Time
	data []byte
}

func newLate(c net.Conn, delay time.Duration) *late {
	return &late{conn: c, delay: delay, queue: make(chan latePiece, 1024), end: make(chan struct{}), gone: make(chan struct{})}
}

// Write is io.Writer's.
func (l *late) Write(p []byte) (int, error) {
	select {
	case l.queue <- latePiece{time.Now().Add(l.delay), bytes.Clone(p)}:
		return len(p), nil
	case <-l.gone:
		return 0, net.ErrClosed
	}
}

func (l *late) run() {
	defer close(l.gone)
	defer l.conn.Close()
	for {
		select {
		case piece := <-l.queue:
			if !l.deliver(piece) {
				return
			}
		case <-l.end:
			for len(l.queue) > 0 && l.deliver(<-l.queue) {
			}
			return
		}
	}
}

func (l *late) deliver(piece latePiece) bool {
	time.Sleep(time.Until(piece.due))
	_, err := l.conn.Write(piece.data)
	return err == nil
}
