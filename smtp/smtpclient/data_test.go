package smtpclient_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"muster/smtp/smtpclient"
)

// receive answers one transaction and hands its text to the channel.
func receive(texts chan<- string) func(f *far) {
	return func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		texts <- f.text()
		f.say("250 kept")
		f.rest()
	}
}

func TestBodyEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		segments []string
		want     string
	}{
		{"nothing", nil, ""},
		{"whole lines", []string{"a\r\n", "b\r\n"}, "a\r\nb\r\n"},
		{"no last end", []string{"a\r\nb"}, "a\r\nb\r\n"},
		{"empty segments", []string{"", "a", "", "\r\n", ""}, "a\r\n"},
		{"dot within a line", []string{"a", ".b\r\n", "..\r\n"}, "a.b\r\n..\r\n"},
		{"larger than a block", []string{strings.Repeat("0123456789abcd\r\n", 40000)}, strings.Repeat("0123456789abcd\r\n", 40000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			texts := make(chan string, 1)
			c := dial(t, listen(t, receive(texts)))
			begin(t, c, to(t, "a@x.example"))
			body(t, c, tt.segments...)
			if r, err := c.Finish(nil); err != nil || r.Code != 250 {
				t.Fatal(r, err)
			}
			if got := <-texts; got != tt.want {
				t.Errorf("text of %d octets, want %d", len(got), len(tt.want))
			}
		})
	}
}

// A segment that would make a line of its own dot never goes out.
func TestBodyRefusesASingleDot(t *testing.T) {
	t.Parallel()
	for _, segments := range [][]string{{"."}, {"a\r\n", ".\r\nMAIL"}, {"", ".x"}} {
		c := dial(t, listen(t, func(f *far) {
			f.greet("PIPELINING")
			f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
			f.say("250 k", "250 k", "354 go")
			if got := f.rest(); strings.Contains(got, ".") {
				t.Errorf("%q went out", got)
			}
		}))
		begin(t, c, to(t, "a@x.example"))
		var err error
		for _, s := range segments {
			err = c.Body(smtpclient.Text(s))
		}
		if !errors.Is(err, smtpclient.ErrNotStuffed) {
			t.Errorf("%q: %v", segments, err)
		}
	}
}

func TestBodyFrom(t *testing.T) {
	t.Parallel()
	mail := "Subject: x\n\n.\n" + strings.Repeat("line of text\n", 10000) + ".end"
	for name, r := range map[string]io.Reader{
		"at once":     strings.NewReader(mail),
		"octet-wise":  iotest.OneByteReader(strings.NewReader(mail[:2000])),
		"data at EOF": iotest.DataErrReader(strings.NewReader(mail)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := make(chan string, 1)
			c := dial(t, listen(t, receive(texts)))
			begin(t, c, to(t, "a@x.example"))
			n, err := c.BodyFrom(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Finish(nil); err != nil {
				t.Fatal(err)
			}
			want := string(smtpclient.Prepare([]byte(mail[:n])))
			if !strings.HasSuffix(want, "\r\n") {
				want += "\r\n"
			}
			if got := <-texts; got != want {
				t.Errorf("text of %d octets differs from the %d prepared", len(got), len(want))
			}
		})
	}
}

func TestBodyFromBrokenReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		if got := f.rest(); strings.Contains(got, "\r\n.\r\n") {
			t.Errorf("a part of a message was sent as a message: %q", got)
		}
	}))
	begin(t, c, to(t, "a@x.example"))
	_, err := c.BodyFrom(io.MultiReader(strings.NewReader("a\r\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := c.Finish(nil); err == nil {
		t.Error("Finish after a broken text")
	}
}

// A Text that is read arrives as it is, wherever its pieces end: also between the two dots of a line,
// and between CR and LF.
func TestTextFrom(t *testing.T) {
	t.Parallel()
	const piece = 64 << 10
	for size := piece - 4; size <= piece+4; size++ {
		line := strings.Repeat("x", size-len("\r\n")) + "\r\n"
		for _, text := range []string{line, line + "..", line + "..\r\n", line + "..a\r\n" + strings.Repeat("..\r\n", piece)} {
			texts := make(chan string, 1)
			c := dial(t, listen(t, receive(texts)))
			begin(t, c, to(t, "a@x.example"))
			body(t, c, "A: b\r\n")
			if err := c.TextFrom(iotest.HalfReader(strings.NewReader(text))); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Finish(nil); err != nil {
				t.Fatal(err)
			}
			want := "A: b\r\n" + text
			if !strings.HasSuffix(want, "\r\n") {
				want += "\r\n"
			}
			if got := <-texts; got != want {
				t.Errorf("a text of %d octets, its first line of %d, differs from the %d sent", len(got), size, len(want))
			}
		}
	}
}

func TestTextFromBrokenReader(t *testing.T) {
	t.Parallel()
	broken := io.ErrUnexpectedEOF // which is not the end of the text
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		if got := f.rest(); strings.Contains(got, "\r\n.\r\n") {
			t.Errorf("a part of a message was sent as a message: %d octets", len(got))
		}
	}))
	begin(t, c, to(t, "a@x.example"))
	err := c.TextFrom(io.MultiReader(strings.NewReader(strings.Repeat("line\r\n", 20_000)), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := c.Finish(nil); err == nil {
		t.Error("Finish after a broken text")
	}
}

// Flush lets the text go ahead of its dot, and only the text.
func TestFlushHoldsTheDotBack(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		f.hear("Subject: x")
		if n := f.r.Buffered(); n > 0 {
			b, _ := f.r.Peek(n)
			t.Errorf("%q came with the text", b)
		}
		close(arrived)
		f.hear(".")
		f.say("250 kept")
		f.rest()
	}))
	begin(t, c, to(t, "a@x.example"))
	body(t, c, "Subject: x\r\n")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if r, err := c.Finish(nil); err != nil || r.Code != 250 {
		t.Fatal(r, err)
	}
}

func TestAbortSendsNoDot(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		got <- f.rest()
	}))
	begin(t, c, to(t, "a@x.example"))
	body(t, c, "Subject: x\r\n")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Abort()
	c.Abort()
	if text := <-got; text != "Subject: x\r\n" {
		t.Errorf("%q", text)
	}
	if _, err := c.Finish(nil); !errors.Is(err, smtpclient.ErrAborted) {
		t.Errorf("Finish after Abort: %v", err)
	}
}

func TestAbortEndsAWait(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{})
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		f.text()
		close(waiting)
		f.rest() // no answer
	}))
	begin(t, c, to(t, "a@x.example"))
	go func() {
		<-waiting
		c.Abort()
	}()
	r, err := c.Finish(nil)
	var failed *smtpclient.Error
	if r != nil || !errors.Is(err, smtpclient.ErrAborted) || !errors.As(err, &failed) || !failed.InDoubt {
		t.Errorf("reply %v, error %v", r, err)
	}
}

// A server that gives up in the middle of a text says why before it closes.
func TestPartingWords(t *testing.T) {
	t.Parallel()
	c := dial(t, listen(t, func(f *far) {
		f.greet("PIPELINING")
		f.hear(mailLine, "RCPT TO:<a@x.example>", "DATA")
		f.say("250 k", "250 k", "354 go")
		f.hear("x")
		f.say("421 4.3.1 disk full")
	}))
	begin(t, c, to(t, "a@x.example"))
	body(t, c, "x\r\n")
	line := bytes.Repeat([]byte("x"), 78)
	block := bytes.Repeat(append(line, "\r\n"...), 800)
	var err error
	for err == nil {
		err = c.Body(block)
	}
	// A reset can overtake the words; what may not happen is a doubt, for no dot was sent.
	var failed *smtpclient.Error
	if !errors.As(err, &failed) || failed.InDoubt || failed.Reply != nil && failed.Reply.Code != 421 {
		t.Errorf("%v", err)
	}
}
