package smtpclient_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/smtp/smtpclient"
)

// transaction sends one message and says how far it came.
func transaction(t *testing.T, c *smtpclient.Conn) error {
	t.Helper()
	if err := c.Begin(to(t, "a@x.example", "b@x.example")); err != nil {
		return err
	}
	a, err := c.ReadEnvelope()
	if err != nil {
		return err
	}
	if !a.Go() {
		t.Fatalf("refused: %+v", a)
	}
	body(t, c, "Subject: x\r\n")
	_, err = c.Finish(nil)
	return err
}

// answers is a server that takes one transaction and gives these answers to MAIL, RCPT, RCPT,
// DATA and the final dot; at "" it closes, at "-" it is silent.
func answers(pipelining bool, replies ...string) func(f *far) {
	return func(f *far) {
		if pipelining {
			f.greet("PIPELINING")
		} else {
			f.greet()
		}
		for i, reply := range replies {
			if i < 4 {
				f.read()
			} else {
				f.text()
			}
			switch reply {
			case "":
				return
			case "-":
				f.rest()
				return
			}
			f.say(reply)
		}
		f.rest()
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	ok := []string{"250 k", "250 k", "250 k", "354 go", "250 kept"}
	stages := []smtpclient.Stage{smtpclient.StageMail, smtpclient.StageRcpt, smtpclient.StageRcpt, smtpclient.StageData, smtpclient.StageDot}
	tests := []struct {
		name    string
		reply   string
		inDoubt bool // when it happens at the final dot
		check   func(err error) bool
	}{
		{"closed", "", true, func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }},
		{"silent", "-", true, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		{"421", "421 4.3.2 shutting down", false, func(err error) bool { return strings.Contains(err.Error(), "421 4.3.2 shutting down") }},
		{"nonsense", "fnord", true, func(err error) bool { return errors.Is(err, smtpclient.ErrProtocol) }},
		{"out of step", "334 VXNlcm5hbWU6", true, func(err error) bool { return errors.Is(err, smtpclient.ErrOutOfStep) }},
		{"endless line", "250 " + strings.Repeat("x", 3000), true, func(err error) bool { return errors.Is(err, smtpclient.ErrProtocol) }},
	}
	for _, pipelining := range []bool{true, false} {
		for _, tt := range tests {
			for i, stage := range stages {
				name := tt.name + " at " + string(stage)
				if !pipelining {
					name += " in lock-step"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					replies := append(append([]string{}, ok[:i]...), tt.reply)
					limits := smtpclient.Timeouts{}
					if tt.reply == "-" {
						limits = quick
					}
					err := transaction(t, dialWithin(t, listen(t, answers(pipelining, replies...)), limits))
					var failed *smtpclient.Error
					if !errors.As(err, &failed) || failed.Stage != stage || !tt.check(err) {
						t.Fatalf("%v", err)
					}
					if failed.InDoubt != (tt.inDoubt && stage == smtpclient.StageDot) {
						t.Errorf("InDoubt %v: %v", failed.InDoubt, err)
					}
				})
			}
		}
	}
}

func TestOutOfStep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		replies []string
	}{
		{"354 to MAIL", []string{"354 go"}},
		{"250 to DATA", []string{"250 k", "250 k", "250 k", "250 k"}},
		{"one reply too many before the text", []string{"250 k", "250 k", "250 k", "354 go\r\n250 k"}},
		{"354 and recipients for a refused sender", []string{"550 no", "250 k", "250 k", "354 go"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := transaction(t, dial(t, listen(t, answers(true, tt.replies...))))
			if !errors.Is(err, smtpclient.ErrOutOfStep) {
				t.Errorf("%v", err)
			}
		})
	}
}

// While nothing is asked a server may only say that it closes (RFC 5321 §3.8).
func TestUnaskedReplyWhileIdle(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{"421 4.4.2 idle": "421", "250 hello again": smtpclient.ErrOutOfStep.Error()} {
		c := dial(t, listen(t, func(f *far) {
			f.greet("PIPELINING")
			f.hear("RSET")
			f.say("250 k", words)
			f.rest()
		}))
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		if err := c.Begin(to(t, "a@x.example")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	for answer, fine := range map[string]bool{"250 2.0.0 flushed": true, "502 what?": false, "354 go": false, "421 bye": false, "": false} {
		c := dial(t, listen(t, func(f *far) {
			f.greet("PIPELINING")
			f.hear("RSET")
			if answer != "" {
				f.say(answer)
				f.read()
			}
		}))
		err := c.Reset()
		if (err == nil) != fine || c.Idle() != fine {
			t.Errorf("%q: %v, idle %v", answer, err, c.Idle())
		}
		if !fine {
			wantError(t, err, smtpclient.StageReset, nil)
		}
		c.Quit()
	}
}

func TestFinishWith421KnowsTheOutcome(t *testing.T) {
	t.Parallel()
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		f.text()
		f.say("421 4.3.2 not this one")
	}))
	begin(t, c, to(t, "a@x.example"))
	r, err := c.Finish(to(t, "b@x.example"))
	if r == nil || r.Code != 421 {
		t.Errorf("reply %v", r)
	}
	wantReply(t, err, smtpclient.StageDot, 421)
	if _, err := c.ReadEnvelope(); err == nil {
		t.Error("the next envelope was read from a closed connection")
	}
}

func TestRefusedTextKeepsTheConnection(t *testing.T) {
	t.Parallel()
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		for _, reply := range []string{"554 5.6.0 no", "451 4.3.0 later", "250 kept"} {
			f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
			f.say("250 k", "250 k", "354 go")
			f.text()
			f.say(reply)
		}
		f.rest()
	}))
	e := to(t, "a@x.example")
	begin(t, c, e)
	for i, want := range []int{554, 451, 250} {
		next := e
		if i == 2 {
			next = nil
		}
		r, err := c.Finish(next)
		if err != nil || r.Code != want {
			t.Fatal(r, err)
		}
		if next != nil {
			ready(t, c)
		}
	}
}

func TestCallsOutOfSequence(t *testing.T) {
	t.Parallel()
	calls := map[string]func(c *smtpclient.Conn) error{
		"ReadEnvelope": func(c *smtpclient.Conn) error { _, err := c.ReadEnvelope(); return err },
		"Body":         func(c *smtpclient.Conn) error { return c.Body(smtpclient.Text("x")) },
		"Flush":        func(c *smtpclient.Conn) error { return c.Flush() },
		"Finish":       func(c *smtpclient.Conn) error { _, err := c.Finish(nil); return err },
	}
	for name, call := range calls {
		c := dial(t, listen(t, func(f *far) {
			f.greet("PIPELINING")
			if got := f.rest(); got != "" {
				t.Errorf("%s on an idle connection sent %q", name, got)
			}
		}))
		if err := call(c); !errors.Is(err, smtpclient.ErrSequence) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who is in a hurry waits for no answer before the final dot longer than that, and for the one to the
// text as long as before.
func TestHurry(t *testing.T) {
	t.Parallel()
	yes := []string{"250 a", "250 b", "250 c", "354 d"}
	for said := range len(yes) {
		c := dial(t, listen(t, answers(false, append(yes[:said:said], "-")...)))
		c.Hurry(20 * time.Millisecond)
		var failed *smtpclient.Error
		if err := transaction(t, c); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &failed) || failed.InDoubt {
			t.Errorf("after %d answers: %v", said, err)
		}
	}
	c := dial(t, listen(t, answers(false, append(yes, "250 e")...)))
	if err := c.Begin(to(t, "a@x.example", "b@x.example")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadEnvelope(); err != nil {
		t.Fatal(err)
	}
	c.Hurry(time.Nanosecond)
	if _, err := c.Finish(nil); err != nil {
		t.Error(err)
	}
}
