package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// counter is a receiving server that takes everything and counts recipients whose message was
// taken, for peers that do not say themselves when they are done. It is as quick as smtp-sink, which
// counts messages only, or as far away as it is told.
type counter struct {
	delay     time.Duration // of each reply; set before anybody connects
	listeners []net.Listener
	taken     atomic.Int64
	target    atomic.Int64
	reached   chan time.Time // capacity 1: when the target was
	defers    atomic.Int64   // one in so many recipients is put off; 0: none
	asked     atomic.Int64   // recipients so far
	open      sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once it is closed
}

// startCounter listens on each address, all with the one port that the system chooses for the first.
func startCounter(hosts ...string) (*counter, error) { return startDistantCounter(0, hosts...) }

// startDistantCounter is startCounter whose replies arrive that much later.
func startDistantCounter(delay time.Duration, hosts ...string) (*counter, error) {
	c := &counter{delay: delay, reached: make(chan time.Time, 1), conns: map[net.Conn]struct{}{}}
	port := "0"
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			c.close()
			return nil, err
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		c.listeners = append(c.listeners, l)
		c.open.Go(func() { c.accept(l) })
	}
	return c, nil
}

// addr is the first of its addresses.
func (c *counter) addr() string { return c.listeners[0].Addr().String() }

// port is the one of all its addresses.
func (c *counter) port() string {
	_, port, _ := net.SplitHostPort(c.addr())
	return port
}

// expect begins to count, to n recipients.
func (c *counter) expect(n int) {
	c.taken.Store(0)
	c.target.Store(int64(n))
	select {
	case <-c.reached:
	default:
	}
}

// await waits for the recipients that are expected and says when the last one's message was taken.
func (c *counter) await(ctx context.Context, patience time.Duration) (time.Time, error) {
	select {
	case at := <-c.reached:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(patience):
		return time.Time{}, fmt.Errorf("%d of %d copies arrived in %v", c.taken.Load(), c.target.Load(), patience)
	}
}

func (c *counter) close() {
	for _, l := range c.listeners {
		l.Close()
	}
	c.mu.Lock()
	for conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
	c.mu.Unlock()
	c.open.Wait()
}

// keep notes a connection, and says whether it may still go on.
func (c *counter) keep(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		return false
	}
	c.conns[conn] = struct{}{}
	return true
}

func (c *counter) forget(conn net.Conn) {
	c.mu.Lock()
	delete(c.conns, conn)
	c.mu.Unlock()
	conn.Close()
}

func (c *counter) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if !c.keep(conn) {
			conn.Close()
			return
		}
		c.open.Go(func() {
			defer c.forget(conn)
			out, done := c.way(conn)
			defer done()
			r := &receiver{counter: c, in: bufio.NewReaderSize(conn, 32<<10), out: bufio.NewWriterSize(out, 8<<10)}
			r.serve()
		})
	}
}

// way is how replies go back to a client: at once or, as on a long line, each so much later and
// none waiting for another. What done waits for is that the last has gone.
func (c *counter) way(conn net.Conn) (out io.Writer, done func()) {
	if c.delay == 0 {
		return conn, func() {}
	}
	l := &longLine{delay: c.delay, under: make(chan parcel, 64)} // no client has as many open
	var arrived sync.WaitGroup
	arrived.Go(func() {
		for p := range l.under {
			time.Sleep(time.Until(p.due))
			_, _ = conn.Write(p.octets) // a client that is gone is noticed in reading
		}
	})
	return l, func() {
		close(l.under)
		arrived.Wait()
	}
}

// longLine is a writer whose octets arrive later, in their order.
type longLine struct {
	delay time.Duration
	under chan parcel // way
}

type parcel struct {
	due    time.Time
	octets []byte
}

func (l *longLine) Write(p []byte) (int, error) {
	l.under <- parcel{time.Now().Add(l.delay), bytes.Clone(p)}
	return len(p), nil
}

// putsOff says whether the next recipient is.
func (c *counter) putsOff() bool {
	every := c.defers.Load()
	return every > 0 && c.asked.Add(1)%every == 0
}

// count adds the recipients of a message that was taken.
func (c *counter) count(n int64) {
	target := c.target.Load()
	if taken := c.taken.Add(n); taken >= target && taken-n < target {
		c.reached <- time.Now()
	}
}

// receiver is one connection to a counter.
type receiver struct {
	counter    *counter
	in         *bufio.Reader
	out        *bufio.Writer
	recipients int64
}

// serve answers until the client quits or is gone. It writes when nothing more has come in, so that
// what was pipelined is answered together.
func (r *receiver) serve() {
	r.say("220 counter.example ESMTP\r\n")
	for {
		if r.in.Buffered() == 0 && r.out.Flush() != nil {
			return
		}
		line, err := r.in.ReadSlice('\n')
		if err != nil || !r.obey(line) {
			r.out.Flush()
			return
		}
	}
}

func (r *receiver) say(s string) { _, _ = r.out.WriteString(s) } // Flush reports the error

// obey answers one command, and says whether the connection goes on.
func (r *receiver) obey(line []byte) bool {
	switch verb := bytes.ToUpper(line[:min(4, len(line))]); {
	case bytes.Equal(verb, []byte("EHLO")):
		r.say("250-counter.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
	case bytes.Equal(verb, []byte("MAIL")), bytes.Equal(verb, []byte("RSET")):
		r.recipients = 0
		r.say("250 ok\r\n")
	case bytes.Equal(verb, []byte("RCPT")):
		if r.counter.putsOff() {
			r.say("451 4.2.1 later\r\n")
			break
		}
		r.recipients++
		r.say("250 ok\r\n")
	case bytes.Equal(verb, []byte("DATA")):
		if r.recipients == 0 { // what was pipelined after a recipient that was put off
			r.say("503 5.5.1 no recipients\r\n")
			break
		}
		r.say("354 go on\r\n")
		if r.out.Flush() != nil || !r.text() {
			return false
		}
		r.say("250 taken\r\n")
		r.counter.count(r.recipients)
		r.recipients = 0
	case bytes.Equal(verb, []byte("QUIT")):
		r.say("221 bye\r\n")
		return false
	default:
		r.say("250 ok\r\n")
	}
	return true
}

// text reads a message to its final dot.
func (r *receiver) text() bool {
	for whole := true; ; {
		line, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			whole = false
			continue
		case err != nil:
			return false
		case whole && bytes.Equal(line, []byte(".\r\n")):
			return true
		}
		whole = true
	}
}
