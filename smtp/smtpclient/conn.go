package smtpclient

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"muster/smtp"
)

// phase is where in a transaction a connection is.
type phase int

const (
	phaseIdle     phase = iota
	phaseEnvelope       // Begin was called, ReadEnvelope comes next
	phaseText           // the server said 354: Body and Finish come next
	phaseClosed
)

// Conn is a connection to a server, made by Dial.
type Conn struct {
	host     string   // as dialled, for errors
	raw      net.Conn // the TCP connection, under TLS too
	stream   stream   // what is read and written
	replies  replyReader
	ext      Extensions
	banner   string
	timeouts Timeouts
	hurry    time.Duration // see Hurry
	lockStep bool
	lmtp     bool
	tlsState *tls.ConnectionState
	tlsErr   error

	phase    phase
	broken   error // why phaseClosed
	aborted  atomic.Bool
	envelope *Envelope
	cursor   cursor
	answer   *Answer   // of the envelope
	answers  [2]Answer // in turns: the caller still reads the one before
	dirty    bool      // the server holds a MAIL without recipients: RSET comes before the next
	sent     int

	segments  net.Buffers // text to be written, before commands
	queued    int         // octets of segments
	lineStart bool        // the text so far ends a line
	commands  []byte
	scratch   []byte // TLS: what is written at once
}

// stream is a connection that sets its read deadline when a read really has to wait: replies that
// came together cost one deadline.
type stream struct {
	net.Conn
	within time.Duration
	armed  bool
}

// Read is net.Conn's, within the time that expect gave.
func (s *stream) Read(p []byte) (int, error) {
	if !s.armed {
		s.armed = true
		if err := s.SetReadDeadline(time.Now().Add(s.within)); err != nil {
			return 0, err
		}
	}
	return s.Conn.Read(p)
}

// expect gives the next reply its time.
func (s *stream) expect(within time.Duration) { s.within, s.armed = within, false }

// readBuffer holds the longest line, and the replies to some hundred recipients in one read.
const readBuffer = 4 * maxLine

func newConn(host string, raw net.Conn, o *Options) *Conn {
	c := &Conn{host: host, raw: raw, timeouts: o.Timeouts.withDefaults(), lockStep: o.LockStep, lmtp: o.LMTP}
	c.answer = &c.answers[0]
	c.use(raw)
	return c
}

// use makes nc what is read and written; what was read before is forgotten.
func (c *Conn) use(nc net.Conn) {
	c.stream = stream{Conn: nc}
	c.replies = replyReader{bufio.NewReaderSize(&c.stream, readBuffer)}
}

// Extensions is what the server offered.
func (c *Conn) Extensions() *Extensions { return &c.ext }

// Banner is the text of the server's greeting, cleaned.
func (c *Conn) Banner() string { return c.banner }

// RemoteAddr is the server's end.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// LocalAddr is our end.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// TLS is the state of encryption, nil for plain text.
func (c *Conn) TLS() *tls.ConnectionState { return c.tlsState }

// TLSError is why an opportunistic connection is in plain text although STARTTLS was offered.
func (c *Conn) TLSError() error { return c.tlsErr }

// Sent counts the transactions that had an answer to their final dot, for LIMITS MAILMAX.
func (c *Conn) Sent() int { return c.sent }

// Idle says whether no transaction is under way, so that Begin, Reset or Quit may follow.
func (c *Conn) Idle() bool { return c.phase == phaseIdle }

// Abort closes the connection as it is, without the final dot: the server drops an unfinished
// message. It may be called from any goroutine and more than once; a call under way returns an
// Error that wraps ErrAborted.
func (c *Conn) Abort() {
	c.aborted.Store(true)
	// The TCP connection, not the TLS one: closing that would wait to write an alert.
	_ = c.raw.Close()
}

// Reset gives up the transaction's recipients and sender at the server (RSET), or finds out
// whether an idle connection still lives. Text that was begun cannot be taken back: Abort.
func (c *Conn) Reset() error {
	if err := c.demand(phaseIdle); err != nil {
		return err
	}
	c.commands = append(c.commands, "RSET\r\n"...)
	if err := c.write(StageReset); err != nil {
		return err
	}
	return c.readReset()
}

// Hurry bounds each wait before the final dot that decides on a message by most, for a caller behind
// whom others wait. 0: Timeouts alone count again.
func (c *Conn) Hurry(most time.Duration) { c.hurry = most }

// hurried is a time of Timeouts as it is for a caller in a hurry.
func (c *Conn) hurried(d time.Duration) time.Duration {
	if c.hurry > 0 {
		return min(d, c.hurry)
	}
	return d
}

func (c *Conn) readReset() error {
	c.stream.expect(c.hurried(c.timeouts.Hello))
	code, reply, err := c.replies.code()
	if err := c.check(StageReset, code, reply, err); err != nil {
		return err
	}
	if code/100 != 2 { // nothing a client can do then but start anew
		return c.refused(StageReset, reply)
	}
	c.dirty = false
	return nil
}

// Quit says QUIT, waits shortly for the answer (RFC 5321 §4.1.1.10) and closes. Where a
// transaction is under way it is Abort.
func (c *Conn) Quit() {
	defer c.Abort()
	if c.phase != phaseIdle {
		return
	}
	c.commands = append(c.commands[:0], "QUIT\r\n"...)
	c.timeouts.Block = c.timeouts.Quit // nobody waits long to say goodbye
	if c.write(StageIdle) != nil {
		return
	}
	c.stream.expect(c.timeouts.Quit)
	_, _, _ = c.replies.code() // whatever it says, this is the end
	c.phase, c.broken = phaseClosed, net.ErrClosed
}

// demand checks that a call comes where it may.
func (c *Conn) demand(p phase) error {
	switch {
	case c.phase == p:
		return nil
	case c.phase == phaseClosed:
		return &Error{Host: c.host, Stage: StageIdle, Err: c.broken}
	}
	return c.fail(&Error{Stage: StageIdle, Err: ErrSequence})
}

// check sorts out a reply that ends the connection: none, or 421, which may come at any time
// (RFC 5321 §3.8).
func (c *Conn) check(stage Stage, code int, reply *smtp.Reply, err error) error {
	switch {
	case err != nil:
		return c.fail(&Error{Stage: stage, Err: err})
	case code == smtp.CodeUnavailable:
		return c.fail(&Error{Stage: stage, Reply: reply, Err: reply})
	}
	return nil
}

// fail closes the connection for good.
func (c *Conn) fail(e *Error) *Error {
	e.Host = c.host
	switch {
	case c.aborted.Load():
		e.Err = ErrAborted
	case errors.Is(e.Err, os.ErrDeadlineExceeded):
		e.Err = fmt.Errorf("no answer in time: %w", e.Err)
	}
	c.phase, c.broken = phaseClosed, e.Err
	_ = c.raw.Close()
	return e
}
