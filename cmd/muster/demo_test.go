package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestDemoStaysUpAndEndsWithCtrlC runs the demo in this process until it has told its story, has a
// message posted to it as it suggests, and then stops it. It is not parallel, for goleak.
func TestDemoStaysUpAndEndsWithCtrlC(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, errs, done := new(output), new(output), make(chan error, 1)
	dir := filepath.Join(t.TempDir(), "demo")
	go func() {
		done <- run(ctx, []string{"demo", "--data-dir", dir, "--smtp-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"},
			nil, strings.NewReader(""), out, errs)
	}()
	waitFor(t, out, done, "Mail that goes out from now on:")
	_, rest, _ := strings.Cut(out.String(), "telnet ")
	host, port, _ := strings.Cut(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), " ")
	postHello(t, host+":"+port)
	waitFor(t, out, done, "to kim@b.example: Hello again\n  | I have another.")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("demo: %v", err)
	}
	if got := out.String(); !strings.HasSuffix(got, "\nStopping.\n") {
		t.Errorf("the last words are %q", got[max(0, len(got)-80):])
	}
	if errs.String() != "" {
		t.Errorf("it complained:\n%s", errs)
	}
	goleak.VerifyNone(t, before)
}

func waitFor(t *testing.T, out *output, done <-chan error, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(out.String(), text); {
		select {
		case err := <-done:
			t.Fatalf("it ended: %v\n%s", err, out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in\n%s", text, out)
		}
	}
}

func postHello(t *testing.T, address string) {
	t.Helper()
	talk, err := dialTalk(t.Context(), address, new(output))
	if err != nil {
		t.Fatal(err)
	}
	defer talk.conn.Close()
	for _, step := range []struct{ code, line string }{
		{"250", "EHLO wombat.doc.ic.ac.uk"}, {"250", "MAIL FROM:<fred@doc.ic.ac.uk>"}, {"250", "RCPT TO:<c-help@lists.example>"}, {"354", "DATA"},
	} {
		if err := talk.expect(step.code, step.line); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := talk.send("From: fred@doc.ic.ac.uk\nSubject: Hello again\n\nI have another.\n")
	if err := wanted("250", "the message", reply, err); err != nil {
		t.Fatal(err)
	}
}

// A demo that nobody told where to listen does not insist on its usual ports.
func TestDemoEvadesPortsInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if got := freeOr(l.Addr().String()); got != "127.0.0.1:0" {
		t.Errorf("in use: %s", got)
	}
	l.Close()
	if got := freeOr(l.Addr().String()); got != l.Addr().String() {
		t.Errorf("free: %s, want %s", got, l.Addr())
	}
}
