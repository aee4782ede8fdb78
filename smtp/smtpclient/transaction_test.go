package smtpclient_test

import (
	"errors"
	"strings"
	"testing"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

const mailLine = "MAIL FROM:<list-bounces@lists.example>"

func TestPipelinedTransactions(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
		f.say("250 2.1.0 Ok", "250 2.1.5 Ok", "250 2.1.5 Ok", "354 go")
		if got, want := f.text(), "Subject: one\r\n\r\n..dot\r\n"; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
		// The next envelope came with the dot: the server may see it before it has answered.
		f.hear(mailLine, "RCPT TO:<c@x.example>", "DATA")
		f.say("250 2.0.0 kept as 1", "250 Ok", "250 Ok", "354 go")
		f.text()
		f.say("250 2.0.0 kept as 2")
		f.hear("QUIT")
		f.say("221 bye")
	})
	c := dial(t, addr)
	begin(t, c, to(t, "a@x.example", "b@x.example"))
	body(t, c, "Subject: one\r\n", "\r\n..d", "ot\r\n")
	r, err := c.Finish(to(t, "c@x.example"))
	if err != nil || r.Error() != "250 2.0.0 kept as 1" {
		t.Fatalf("first text: %v, %v", r, err)
	}
	ready(t, c)
	body(t, c, "Subject: two\r\n")
	r, err = c.Finish(nil)
	if err != nil || r.Text() != "kept as 2" || !c.Idle() || c.Sent() != 2 {
		t.Fatalf("second text: %v, %v", r, err)
	}
	c.Quit()
}

func TestLockStep(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(f *far) {
		f.greet("SIZE 1000")
		step := func(line, reply string) {
			f.hear(line)
			if n := f.r.Buffered(); n > 0 {
				t.Errorf("%d octets came with %q", n, line)
			}
			f.say(reply)
		}
		step(mailLine+" SIZE=7", "250 Ok")
		step("RCPT TO:<a@x.example>", "550 5.1.1 who?")
		step("RCPT TO:<b@x.example>", "250 Ok")
		step("DATA", "354 go")
		f.text()
		if n := f.r.Buffered(); n > 0 {
			t.Errorf("%d octets came with the dot", n)
		}
		f.say("250 kept")
		step(mailLine, "250 Ok")
		step("RCPT TO:<c@x.example>", "550 no")
		// No recipient: DATA is not asked for, and the sender is taken back before the next.
		step("RSET", "250 Ok")
		step(mailLine, "452 4.3.1 full")
		step("QUIT", "221 bye")
	})
	c := dial(t, addr)
	e := to(t, "a@x.example", "b@x.example")
	e.Size = 7
	begin(t, c, e)
	body(t, c, "a\r\n\r\nb")
	if r, err := c.Finish(to(t, "c@x.example")); err != nil || r.Code != 250 {
		t.Fatal(r, err)
	}
	a, err := c.ReadEnvelope()
	if err != nil || a.Go() || a.Refusal(0).Code != 550 {
		t.Fatal(a, err)
	}
	if err := c.Begin(to(t, "d@x.example", "e@x.example")); err != nil {
		t.Fatal(err)
	}
	a, err = c.ReadEnvelope()
	if err != nil || a.Go() || a.Refusal(1).Error() != "452 4.3.1 full" {
		t.Fatal(a, err)
	}
	c.Quit()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		replies []string // to MAIL, two RCPT and DATA
		dot     string   // answer to a lone dot, where one is due
		refused [2]string
	}{
		{"first recipient", []string{"250 k", "550 5.1.1 no", "250 k", "354 go"}, "", [2]string{"550 5.1.1 no", ""}},
		{"later", []string{"250 k", "251 k", "450 4.2.1 later", "354 go"}, "", [2]string{"", "450 4.2.1 later"}},
		{"sender", []string{"550 5.7.1 not you", "503 no", "503 no", "503 no"}, "", [2]string{"550 5.7.1 not you", "550 5.7.1 not you"}},
		{"data", []string{"250 k", "250 k", "550 1", "451 4.3.0 not now"}, "", [2]string{"451 4.3.0 not now", "550 1"}},
		{"all, then 503", []string{"250 k", "550 1", "550 2", "503 none"}, "", [2]string{"550 1", "550 2"}},
		{"all, then 354", []string{"250 k", "550 1", "450 2", "354 go"}, "554 no recipients", [2]string{"550 1", "450 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, func(f *far) {
				f.greet("PIPELINING")
				f.hear(mailLine, "RCPT TO:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
				f.say(tt.replies...)
				if tt.dot != "" {
					f.hear(".")
					f.say(tt.dot)
				}
				f.rest()
			})
			c := dial(t, addr)
			if err := c.Begin(to(t, "a@x.example", "b@x.example")); err != nil {
				t.Fatal(err)
			}
			a, err := c.ReadEnvelope()
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.refused {
				got := ""
				if r := a.Refusal(i); r != nil {
					got = r.Error()
				}
				if got != want {
					t.Errorf("recipient %d: %q, want %q", i, got, want)
				}
			}
			goes := tt.refused[0] == "" || tt.refused[1] == ""
			if a.Go() != goes || c.Idle() == goes {
				t.Errorf("Go %v, Idle %v", a.Go(), c.Idle())
			}
		})
	}
}

// What was refused is still to be read when the text has been answered.
func TestAnswerOutlivesFinish(t *testing.T) {
	t.Parallel()
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
		f.say("250 k", "550 5.1.1 no", "250 k", "354 go")
		f.text()
		f.say("250 kept")
		f.rest()
	}))
	if err := c.Begin(to(t, "a@x.example", "b@x.example")); err != nil {
		t.Fatal(err)
	}
	a, err := c.ReadEnvelope()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(to(t, "c@x.example")); err != nil {
		t.Fatal(err)
	}
	if r := a.Refusal(0); r == nil || r.Code != 550 || a.Refusal(1) != nil || a.Accepted != 1 {
		t.Errorf("after Finish the answer is %+v", a)
	}
}

func TestRefusedTransactionIsReset(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "550 no", "554 no valid recipients")
		f.hear("RSET", mailLine, "RCPT TO:<b@x.example>", "DATA")
		f.say("250 k", "250 k", "250 k", "354 go")
		f.text()
		f.say("250 kept")
		f.hear(mailLine) // no RSET: a text ends a transaction
		f.say("421 enough")
	})
	c := dial(t, addr)
	if err := c.Begin(to(t, "a@x.example")); err != nil {
		t.Fatal(err)
	}
	if a, err := c.ReadEnvelope(); err != nil || a.Go() {
		t.Fatal(a, err)
	}
	begin(t, c, to(t, "b@x.example"))
	if r, err := c.Finish(to(t, "c@x.example")); err != nil || r.Code != 250 {
		t.Fatal(r, err)
	}
	_, err := c.ReadEnvelope()
	wantReply(t, err, smtpclient.StageMail, 421)
}

// wantReply demands an Error with a server's reply.
func wantReply(t *testing.T, err error, stage smtpclient.Stage, code int) {
	t.Helper()
	var failed *smtpclient.Error
	var reply *smtp.Reply
	if !errors.As(err, &failed) || !errors.As(err, &reply) {
		t.Fatalf("error %v carries no reply", err)
	}
	if failed.Stage != stage || failed.Reply == nil || reply.Code != code {
		t.Errorf("error %v at %s, want %d at %s", err, failed.Stage, code, stage)
	}
}

// A group of commands never exceeds what the buffers of two ends that both write can hold.
func TestManyRecipientsGoInGroups(t *testing.T) {
	t.Parallel()
	const n = 2000
	var recipients []string
	for range n {
		recipients = append(recipients, strings.Repeat("a", 60)+"@x.example")
	}
	addr := listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine)
		waiting, octets := []string{"250 k"}, 0
		for i := 0; i < n; {
			for ; i < n && (octets < 15<<10 || f.r.Buffered() > 0); i++ {
				line := f.read()
				octets += len(line) + 2
				waiting = append(waiting, "250 k")
			}
			if octets > 17<<10 {
				t.Errorf("%d octets without an answer", octets)
			}
			f.say(waiting...)
			waiting, octets = nil, 0
		}
		f.hear("DATA")
		f.say("354 go")
		f.text()
		f.say("250 kept")
	})
	c := dial(t, addr)
	begin(t, c, to(t, recipients...))
	if r, err := c.Finish(nil); err != nil || r.Code != 250 {
		t.Fatal(r, err)
	}
}
