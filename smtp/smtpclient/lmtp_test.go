package smtpclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"muster/smtp/smtpclient"
)

func dialLMTP(t testing.TB, addr string) *smtpclient.Conn {
	t.Helper()
	c, err := smtpclient.Dial(context.Background(), addr, smtpclient.Options{Hello: "lists.example", LMTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	return c
}

// each is what was said of each recipient's copy, shortly.
func each(a *smtpclient.Answer) string {
	var codes []int
	for _, r := range a.Each {
		if r == nil {
			codes = append(codes, 0)
			continue
		}
		codes = append(codes, r.Code)
	}
	return fmt.Sprint(codes)
}

// Each recipient that was accepted has a reply after the text, and the next envelope goes with the dot
// as ever.
func TestLMTPAnswersForEach(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(f *far) {
		f.say("220 far.example LMTP")
		f.hear("LHLO lists.example")
		f.say("250-far.example", "250 PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "RCPT TO:<b@x.example>", "RCPT TO:<c@x.example>", "DATA")
		f.say("250 Ok", "250 Ok", "550 5.1.1 who?", "250 Ok", "354 go")
		f.text()
		f.hear(mailLine, "RCPT TO:<d@x.example>", "DATA")
		f.say("452 4.2.2 full", "250 2.0.0 kept for c", "250 Ok", "250 Ok", "354 go")
		f.text()
		f.say("250 2.0.0 kept for d")
	})
	c := dialLMTP(t, addr)
	a := begin(t, c, to(t, "a@x.example", "b@x.example", "c@x.example"))
	body(t, c, "Subject: one\r\n")
	r, err := c.Finish(to(t, "d@x.example"))
	if err != nil || r.Text() != "kept for c" || each(a) != "[452 0 250]" {
		t.Fatalf("%v, %v; each %s", r, err, each(a))
	}
	a = ready(t, c)
	body(t, c, "Subject: two\r\n")
	if r, err = c.Finish(nil); err != nil || r.Text() != "kept for d" || each(a) != "[250]" || c.Sent() != 2 {
		t.Fatalf("%v, %v; each %s", r, err, each(a))
	}
}

// Who was answered before the connection ended has that answer, of the others nothing is known.
func TestLMTPEndsBetweenAnswers(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"", "421 4.3.2 going down\r\n"} {
		addr := listen(t, func(f *far) {
			f.say("220 far.example LMTP")
			f.read()
			f.say("250 far.example")
			for range 4 { // MAIL, three RCPT
				f.read()
				f.say("250 Ok")
			}
			f.read()
			f.say("354 go")
			f.text()
			f.say("250 kept for a")
			_, _ = f.Write([]byte(last))
		})
		c := dialLMTP(t, addr)
		a := begin(t, c, to(t, "a@x.example", "b@x.example", "c@x.example"))
		body(t, c, "Subject: one\r\n")
		r, err := c.Finish(nil)
		var failed *smtpclient.Error
		if r != nil || !errors.As(err, &failed) || failed.InDoubt != (last == "") {
			t.Errorf("after %q: %v, %v", last, r, err)
		}
		want := "[250 0 0]"
		if last != "" {
			want = "[250 421 0]"
		}
		if each(a) != want {
			t.Errorf("after %q each got %s, want %s", last, each(a), want)
		}
	}
}

// A server that wants a text for nobody does not speak LMTP (RFC 2033 §4.2), nor does one that knows no LHLO.
func TestLMTPThatIsNone(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(f *far) {
		f.say("220 far.example")
		f.read()
		f.say("250-far.example", "250 PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 Ok", "550 5.1.1 who?", "354 go")
	}, func(f *far) {
		f.say("220 far.example ESMTP")
		f.hear("LHLO lists.example")
		f.say("500 5.5.1 what?")
		if line := f.read(); line != "" {
			t.Errorf("the client said %q after LHLO was refused", line)
		}
	})
	c := dialLMTP(t, addr)
	if err := c.Begin(to(t, "a@x.example")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadEnvelope(); !errors.Is(err, smtpclient.ErrOutOfStep) {
		t.Errorf("a text for nobody: %v", err)
	}
	_, err := smtpclient.Dial(context.Background(), addr, smtpclient.Options{Hello: "lists.example", LMTP: true})
	var failed *smtpclient.Error
	if !errors.As(err, &failed) || failed.Stage != smtpclient.StageHello || failed.Reply == nil {
		t.Errorf("no LHLO: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lmtp")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		f := &far{t: t, Conn: nc, r: bufio.NewReader(nc)}
		f.say("220 far.example LMTP")
		f.hear("LHLO localhost")
		f.say("250-far.example", "250 AUTH PLAIN")
		f.read()
		f.say("235 2.7.0 welcome")
		f.hear("QUIT")
	}()
	c, err := smtpclient.Dial(context.Background(), path, smtpclient.Options{LMTP: true, Auth: &smtpclient.Auth{User: "a", Password: "b"}})
	if err != nil { // nobody listens on the way to a socket: the password may go
		t.Fatal(err)
	}
	c.Quit()
	<-done
}
