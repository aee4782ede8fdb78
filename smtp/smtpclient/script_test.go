package smtpclient_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// far is the server's end of a scripted dialogue.
type far struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// listen runs script for each connection to the address it returns. The test waits for the end
// of all of them.
func listen(t testing.TB, scripts ...func(f *far)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, script := range scripts {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			script(&far{t: t, Conn: c, r: bufio.NewReader(c)})
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// say sends lines, each with CRLF, in one packet.
func (f *far) say(lines ...string) {
	_, _ = io.WriteString(f.Conn, strings.Join(lines, "\r\n")+"\r\n")
}

// read returns the next line without CRLF, "" at the end.
func (f *far) read() string {
	line, _ := f.r.ReadString('\n')
	return strings.TrimSuffix(line, "\r\n")
}

// hear demands lines from the client.
func (f *far) hear(lines ...string) {
	f.t.Helper()
	for _, want := range lines {
		if got := f.read(); got != want {
			f.t.Errorf("the client said %q, want %q", got, want)
		}
	}
}

// text reads a message up to its final dot and returns it as it came.
func (f *far) text() string {
	var b strings.Builder
	for {
		line, err := f.r.ReadString('\n')
		if err != nil {
			f.t.Errorf("text without a final dot: %q", b.String())
			return b.String()
		}
		if line == ".\r\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

// rest is everything the client sends until it closes.
func (f *far) rest() string {
	b, _ := io.ReadAll(f.r)
	return string(b)
}

// greet does the beginning of a dialogue, with PIPELINING and the given extensions.
func (f *far) greet(extensions ...string) {
	f.t.Helper()
	f.say("220 far.example ready")
	f.hear("EHLO near.example")
	lines := append([]string{"far.example"}, extensions...)
	for i, line := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		f.say("250" + sep + line)
	}
}

// quick are limits under which a test of a silent server ends soon.
var quick = smtpclient.Timeouts{
	Greeting: wait, Hello: wait, Mail: wait, Rcpt: wait, Data: wait, Dot: wait,
}

const wait = 400 * time.Millisecond

func dial(t testing.TB, addr string) *smtpclient.Conn {
	t.Helper()
	return dialWithin(t, addr, smtpclient.Timeouts{})
}

func dialWithin(t testing.TB, addr string, limits smtpclient.Timeouts) *smtpclient.Conn {
	t.Helper()
	c, err := smtpclient.Dial(context.Background(), addr, smtpclient.Options{Hello: "near.example", Timeouts: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	return c
}

func address(t testing.TB, s string) smtp.Address {
	t.Helper()
	a, err := smtp.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// to makes an envelope from a fixed sender.
func to(t testing.TB, recipients ...string) *smtpclient.Envelope {
	t.Helper()
	e := &smtpclient.Envelope{From: address(t, "list-bounces@lists.example")}
	for _, r := range recipients {
		e.To = append(e.To, address(t, r))
	}
	return e
}

// begin starts a transaction that the server is to accept.
func begin(t testing.TB, c *smtpclient.Conn, e *smtpclient.Envelope) *smtpclient.Answer {
	t.Helper()
	if err := c.Begin(e); err != nil {
		t.Fatal(err)
	}
	return ready(t, c)
}

// ready demands that the server waits for the text.
func ready(t testing.TB, c *smtpclient.Conn) *smtpclient.Answer {
	t.Helper()
	a, err := c.ReadEnvelope()
	if err != nil {
		t.Fatal(err)
	}
	if !a.Go() {
		t.Fatalf("no 354: %+v", a)
	}
	return a
}

// body adds text that must not fail.
func body(t testing.TB, c *smtpclient.Conn, segments ...string) {
	t.Helper()
	for _, s := range segments {
		if err := c.Body(smtpclient.Text(s)); err != nil {
			t.Fatal(err)
		}
	}
}
