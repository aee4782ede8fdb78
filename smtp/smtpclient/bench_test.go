package smtpclient_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// sink answers a pipelining client with as little work as can be: what is left is the client's.
// It ends with the connection.
func sink(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		sinkTo(c)
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func sinkTo(c net.Conn) {
	_, _ = c.Write([]byte("220 sink.example\r\n"))
	var out []byte
	in, inText := make([]byte, 0, 1<<20), false
	for {
		n, err := c.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		out, inText, in = sinkLines(out[:0], in, inText)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// sinkLines answers the whole lines of in and returns what is left of it.
func sinkLines(out, in []byte, inText bool) ([]byte, bool, []byte) {
	rest := in
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return out, inText, in[:copy(in, rest)]
		}
		line := rest[:end+1]
		rest = rest[end+1:]
		switch {
		case inText && (len(line) != 3 || line[0] != '.'):
		case line[0] == 'E':
			out = append(out, "250-sink.example\r\n250-PIPELINING\r\n250 SIZE\r\n"...)
		case line[0] == 'D':
			inText = true
			out = append(out, "354 End data with <CR><LF>.<CR><LF>\r\n"...)
		case inText:
			inText = false
			out = append(out, "250 2.0.0 Ok: queued as 4c9D2b0XyZz12\r\n"...)
		default:
			out = append(out, "250 2.1.0 Ok\r\n"...)
		}
	}
}

func sinkConn(t testing.TB) *smtpclient.Conn {
	t.Helper()
	c, err := smtpclient.Dial(context.Background(), sink(t), smtpclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	return c
}

func envelope(recipients int) *smtpclient.Envelope {
	e := &smtpclient.Envelope{From: smtp.Address{Local: "dev-bounces+abcdefghijklmnop", Domain: "lists.example"}, Size: 4096}
	for i := range recipients {
		e.To = append(e.To, smtp.Address{Local: "user" + strconv.Itoa(i), Domain: "d01.example"})
	}
	return e
}

// mailText is a message of about 4 KiB in the pieces a fan-out has it in.
func mailText() []smtpclient.Text {
	return []smtpclient.Text{
		smtpclient.Text("Received: from a\r\nList-Unsubscribe: <https://lists.example/leave/"),
		smtpclient.Text("abcdefghijklmnopqrstuvwxyz"),
		smtpclient.Text(">\r\n"),
		smtpclient.Prepare(append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, and then it does so again.\r\n"), 56)...)),
	}
}

// keepSending is one transaction on a busy connection: one write and one read.
func keepSending(t testing.TB, c *smtpclient.Conn, e *smtpclient.Envelope, text []smtpclient.Text) {
	a, err := c.ReadEnvelope()
	if err != nil || !a.Go() {
		t.Fatal(a, err)
	}
	if err := c.Body(text...); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Finish(e); err != nil || !r.Positive() {
		t.Fatal(r, err)
	}
}

// A transaction on a kept connection allocates its reply and the reply's text, however many
// recipients it has.
func TestAllocations(t *testing.T) {
	for _, recipients := range []int{1, 100} {
		c, e, text := sinkConn(t), envelope(recipients), mailText()
		if err := c.Begin(e); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(200, func() { keepSending(t, c, e, text) }); n > 2 {
			t.Errorf("%d recipients: %v allocations a transaction, want at most 2", recipients, n)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	for _, recipients := range []int{1, 100} {
		b.Run(fmt.Sprintf("%drcpt", recipients), func(b *testing.B) {
			c, e, text := sinkConn(b), envelope(recipients), mailText()
			if err := c.Begin(e); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				keepSending(b, c, e, text)
			}
			b.ReportMetric(float64(b.N*recipients)/b.Elapsed().Seconds(), "rcpt/s")
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	mail := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, and then it does so again.\r\n.\n"), 14000)
	b.SetBytes(int64(len(mail)))
	b.ReportAllocs()
	for b.Loop() {
		smtpclient.Prepare(mail)
	}
}
