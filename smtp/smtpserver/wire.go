package smtpserver

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"muster/smtp"
)

const (
	// inBuffer holds the longest AUTH line with room to spare, and makes reading a large message
	// one call to the system for each 16 KiB.
	inBuffer  = 16 << 10
	outBuffer = 4 << 10

	// maxSkip is how far a line that is too long is read on to find its end.
	maxSkip = 64 << 10

	// lingering bounds the wait for a client to take its last reply.
	lingering = 500 * time.Millisecond
)

var (
	errLongLine  = errors.New("line too long")
	errEndless   = errors.New("line without an end")
	errBareLF    = errors.New("line ends with LF alone")
	errStopped   = errors.New("server is shutting down")
	errHandshake = errors.New("TLS handshake failed")
)

// patience is how long the input that is wanted now may take.
type patience struct {
	whole time.Duration // for all of it
	pause time.Duration // until the next octet; 0: only whole counts
	rate  int           // octets a second, reckoned after the first pause; 0: any
	idle  bool          // nothing is in flight: Shutdown may interrupt
}

// wire is the connection with its buffers and its deadlines. It writes out what is waiting to be
// written when it is about to wait for input: a pipelined group gets its replies in one piece, and
// nobody ever waits for a reply that sits in a buffer.
type wire struct {
	in  *bufio.Reader // reads by wire.Read
	out *bufio.Writer // writes by wire.Write

	writeTimeout time.Duration

	mu       sync.Mutex // guards what follows against interrupt, hurry and kill
	conn     net.Conn
	patience patience
	began    time.Time // of the wait; zero until input was first waited for
	got      int64     // octets since then
	waiting  bool      // within an idle Read
	stopped  bool
}

// expect starts a new wait. Input that has arrived already costs none of it.
func (w *wire) expect(p patience) {
	w.mu.Lock()
	w.patience, w.began, w.got = p, time.Time{}, 0
	w.mu.Unlock()
}

// Read is called by in when it is empty.
func (w *wire) Read(p []byte) (int, error) {
	if err := w.out.Flush(); err != nil {
		return 0, err
	}
	conn, err := w.arm()
	if err != nil {
		return 0, err
	}
	n, err := conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got += int64(n)
	if w.waiting = false; w.stopped && w.patience.idle && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, errStopped
	}
	return n, err
}

// arm sets the deadline of the next read.
func (w *wire) arm() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.patience.idle && w.stopped {
		return nil, errStopped
	}
	now := time.Now()
	if w.began.IsZero() {
		w.began = now
	}
	w.waiting = w.patience.idle
	return w.conn, w.conn.SetReadDeadline(w.deadline(now))
}

func (w *wire) deadline(now time.Time) time.Time {
	p := w.patience
	d := w.began.Add(p.whole)
	if p.pause > 0 {
		d = earlier(d, now.Add(p.pause))
	}
	if p.rate > 0 {
		// In floating point: octets times a second would overflow from 9 GB on.
		earned := time.Duration(float64(w.got) / float64(p.rate) * float64(time.Second))
		d = earlier(d, w.began.Add(p.pause+earned))
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Write is called by out when it is full or flushed.
func (w *wire) Write(p []byte) (int, error) {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.writeTimeout)); err != nil {
		return 0, err
	}
	return w.conn.Write(p)
}

// interrupt ends an idle wait, now and from now on.
func (w *wire) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.waiting {
		w.conn.SetReadDeadline(time.Unix(1, 0)) // a closed connection ends the wait too
	}
}

// hurry leaves an idle wait no more than d from now.
func (w *wire) hurry(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.waiting || w.patience.whole <= d {
		return
	}
	w.patience.whole, w.began = d, time.Now()
	w.conn.SetReadDeadline(w.deadline(w.began)) // as above
}

// kill closes the connection under whoever is using it, without the farewell of TLS, which could
// wait for a client that takes nothing any more.
func (w *wire) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if conn, ok := w.conn.(*tls.Conn); ok {
		conn.NetConn().Close() // nothing is left to lose
		return
	}
	w.conn.Close() // as above
}

// swap goes on with another connection over the same one, and forgets what was read before: it
// does not belong to the new one (RFC 3207 §4.2).
func (w *wire) swap(conn net.Conn) {
	w.mu.Lock()
	w.conn = conn
	w.mu.Unlock()
	w.in.Reset(w)
}

// readLine returns the next line without its CR LF. It is good until the next read. A line longer
// than limit octets is skipped: errLongLine.
func (w *wire) readLine(limit int) ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, w.skipLine()
	case err != nil:
		return nil, err
	case len(line) > limit:
		return nil, errLongLine
	case len(line) < 2 || line[len(line)-2] != '\r':
		return nil, errBareLF
	}
	return line[:len(line)-2], nil
}

func (w *wire) skipLine() error {
	for range maxSkip / inBuffer {
		_, err := w.in.ReadSlice('\n')
		if err == nil {
			return errLongLine
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	return errEndless
}

// chunk returns input that has arrived, up to n octets of it, waiting only if there is none. The
// caller discards what it has used.
func (w *wire) chunk(n int64) ([]byte, error) {
	if w.in.Buffered() == 0 {
		if _, err := w.in.Peek(1); err != nil {
			return nil, err
		}
	}
	return w.in.Peek(int(min(n, int64(w.in.Buffered()))))
}

// write puts a reply into the buffer.
func (w *wire) write(r *smtp.Reply, enhanced bool) error {
	b, err := w.room()
	if err == nil {
		_, err = w.out.Write(r.Append(b, enhanced))
	}
	return err
}

// room is where a line can be appended without allocating.
func (w *wire) room() ([]byte, error) {
	if w.out.Available() < smtp.MaxReplyLine {
		if err := w.out.Flush(); err != nil {
			return nil, err
		}
	}
	return w.out.AvailableBuffer(), nil
}

// close ends the connection. Where the client may still be talking it waits a moment for it to take
// the last reply: closing with input unread makes TCP throw away what is on its way.
func (w *wire) close(linger bool) {
	w.out.Flush() // the connection is done for either way
	if half, ok := w.conn.(interface{ CloseWrite() error }); ok && linger && half.CloseWrite() == nil {
		w.conn.SetReadDeadline(time.Now().Add(lingering))  // then the read fails too
		io.Copy(io.Discard, io.LimitReader(w.conn, 1<<20)) // it is thrown away
	}
	w.conn.Close() // as above
}
