package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// The far end is spoken to as the demo speaks to Muster: what is shown is what went over the wire.
func TestTalkToTheFarEnd(t *testing.T) {
	t.Parallel()
	far, err := newFarEnd(slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	far.start()
	var shown bytes.Buffer
	talk, err := dialTalk(t.Context(), strings.TrimPrefix(far.URL(), "smtp://"), &shown)
	if err != nil {
		t.Fatal(err)
	}
	defer talk.conn.Close()
	for _, line := range []string{"HELO a.example", "MAIL FROM:<fred@a.example>", "RCPT TO:<x@b.example>", "RCPT TO:<y@b.example>"} {
		if err := talk.expect("250", line); err != nil {
			t.Fatal(err)
		}
	}
	if err := talk.expect("250", "DATA"); err == nil || !strings.Contains(err.Error(), "354") {
		t.Errorf("error = %v, want one that names what was answered", err)
	}
	if reply, err := talk.send("Subject: dots\n\n.\n..two\n"); err != nil || !strings.HasPrefix(reply, "250") {
		t.Fatalf("%q, %v", reply, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !far.until(ctx, func(all []arrival) bool { return len(all) == 2 }) {
		t.Fatal("it did not arrive")
	}
	for i, to := range []string{"x@b.example", "y@b.example"} {
		got := far.arrived[i]
		if got.from != "fred@a.example" || got.to != to || string(got.message) != "Subject: dots\r\n\r\n.\r\n..two\r\n" {
			t.Errorf("arrived: %q from %q to %q", got.message, got.from, got.to)
		}
	}
	for _, want := range []string{"  S: 220 ", "  C: RCPT TO:<y@b.example>\n", "  S: 354 ", "  C: ..\n"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not shown in\n%s", want, &shown)
		}
	}
	if err := far.stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestArrivalInShort(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	body := strings.Repeat("A line.\r\n", 20)
	printArrival(&out, arrival{to: "x@b.example", message: []byte("From: a@a.example\r\nsubject: Hello\r\n\r\n" + body)})
	if got := out.String(); !strings.Contains(got, "to x@b.example: Hello\n") || strings.Count(got, "| A line.") != 12 || !strings.Contains(got, "| …") {
		t.Errorf("printed:\n%s", got)
	}
}
