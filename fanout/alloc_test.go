package fanout

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/smtp/smtpclient"
)

// maxAllocations is what composing, sending and settling one personal copy may allocate: two seals
// and what they are put into, the server's reply, and nothing that grows with the message.
const maxAllocations = 5

// One copy, from its run to its outcome, over a connection to a server that answers from memory.
func TestAllocationsOfACopy(t *testing.T) {
	src := testSource(testMessage)
	src.verp = true
	m, err := compose(src, fixedSealer{}, "https://site.example")
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtpclient.Dial(context.Background(), "sink.example:25", smtpclient.Options{
		TLS: smtpclient.TLSNone, DialContext: func(context.Context, string, string) (net.Conn, error) { return newCannedConn(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var conn transport = dialogue{c}
	r := newRun(claim{Size: 1}, &recipients{members: []int64{7}, addresses: []string{"ben@b.example"}, left: time.Hour}, m, &lane{traffic: &traffic{}})
	r.journal.lines = make([]byte, 0, 1<<20)
	var b batch
	got := testing.AllocsPerRun(500, func() {
		r.next, r.settled, r.checked = 0, 0, 1
		if !b.fill(r, batchSize, nil) {
			t.Fatal("no batch")
		}
		if err := conn.begin(&b); err != nil {
			t.Fatal(err)
		}
		answer, err := conn.answer()
		if err != nil || !answer.Go() {
			t.Fatal(err)
		}
		b.note(answer)
		if err := conn.text(&b); err != nil {
			t.Fatal(err)
		}
		reply, err := conn.finish(nil)
		if err != nil {
			t.Fatal(err)
		}
		b.each(answer.Each)
		r.settle(&b, "sink.example", refusal{smtpclient.StageDot, reply})
	})
	if got > maxAllocations {
		t.Errorf("%v allocations a copy, at most %d are allowed", got, maxAllocations)
	}
	t.Logf("%v allocations a copy", got)
}

type fixedSealer struct{}

func (fixedSealer) Bounce(_, _ int64, _ int) string { return "bbbbbbbbbbbbbbbbbbbbbbbbbb" }
func (fixedSealer) Leave(_, _ int64) string         { return "llllllllllllllllllllllllll" }

// cannedConn is a server without a network: it answers what is written to it, and allocates
// nothing itself.
type cannedConn struct {
	net.Conn
	out  []byte
	text bool
}

func newCannedConn() *cannedConn {
	return &cannedConn{out: append(make([]byte, 0, 4096), "220 sink\r\n"...)}
}

func (c *cannedConn) Read(p []byte) (int, error) {
	if len(c.out) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.out)
	c.out = append(c.out[:0], c.out[n:]...)
	return n, nil
}

func (c *cannedConn) Write(p []byte) (int, error) {
	for line := range bytes.SplitAfterSeq(p, []byte("\n")) {
		switch {
		case len(line) == 0:
		case c.text:
			if string(line) == ".\r\n" {
				c.text = false
				c.out = append(c.out, "250 2.0.0 queued as 1\r\n"...)
			}
		case bytes.HasPrefix(line, []byte("EHLO")):
			c.out = append(c.out, "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"...)
		case bytes.HasPrefix(line, []byte("DATA")):
			c.text = true
			c.out = append(c.out, "354 go\r\n"...)
		default:
			c.out = append(c.out, "250 2.0.0 ok\r\n"...)
		}
	}
	return len(p), nil
}

func (c *cannedConn) Close() error                     { return nil }
func (c *cannedConn) SetDeadline(time.Time) error      { return nil }
func (c *cannedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *cannedConn) SetWriteDeadline(time.Time) error { return nil }
func (c *cannedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
func (c *cannedConn) LocalAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
}

// Run leaves nothing behind: no goroutine, no connection, no claim.
func TestRunLeavesNothing(t *testing.T) {
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 200, 3)
	s := newSink(t).serve()
	before := goleak.IgnoreCurrent()
	c := w.config(s)
	e, stop := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "some copies", func() bool { return s.copies.Load() > 20 })
	stop()
	s.dropAll()
	w.pool.Reset()
	goleak.VerifyNone(t, before,
		goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"),
		goleak.IgnoreAnyFunction("github.com/jackc/puddle/v2.(*Pool[...]).destructAcquiredResource"),
		goleak.IgnoreTopFunction("github.com/klauspost/compress/zstd.(*blockDec).startDecoder"))
	if n := w.count(`SELECT count(*) FROM shard WHERE state = 'claimed'`); n != 0 {
		t.Errorf("%d shards are still claimed", n)
	}
	if n := w.count(`SELECT count(*) FROM node WHERE dead IS NULL`); n != 0 {
		t.Errorf("%d nodes are alive", n)
	}
}
