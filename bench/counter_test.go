package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

func TestCounterCountsRecipientsOfTakenMessages(t *testing.T) {
	t.Parallel()
	c, err := startCounter("127.0.0.1", "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.expect(4)
	for _, l := range c.listeners {
		sendTwo(t, l.Addr().String())
	}
	if at, err := c.await(t.Context(), time.Minute); err != nil || at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
	c.expect(1) // the first of a transaction's recipients is enough, and is told once
	sendTwo(t, c.addr())
	sendTwo(t, c.addr())
	if at, err := c.await(t.Context(), time.Minute); err != nil || at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
	c.expect(3)
	sendTwo(t, c.addr())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.await(ended, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("two of three were enough: %v", err)
	}
	if n := c.taken.Load(); n != 2 {
		t.Errorf("%d of 2", n)
	}
}

// What is pipelined is answered together and late; what is asked for later is answered later.
func TestDistantCounter(t *testing.T) {
	t.Parallel()
	const away = 30 * time.Millisecond
	c, err := startDistantCounter(away, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	conn, err := net.Dial("tcp", c.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if _, err := reply(in, "220"); err != nil {
		t.Fatal(err)
	}
	for _, turn := range []struct {
		commands string
		replies  []string
	}{
		{"EHLO a.example\r\n", []string{"250"}},
		{"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", []string{"250", "250", "354"}},
		{"Subject: x\r\n\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n", []string{"250", "250", "250", "354"}},
		{"x\r\n.\r\nQUIT\r\n", []string{"250", "221"}},
	} {
		asked := time.Now()
		if _, err := conn.Write([]byte(turn.commands)); err != nil {
			t.Fatal(err)
		}
		for _, code := range turn.replies {
			if _, err := reply(in, code); err != nil {
				t.Fatalf("%q: %v", turn.commands, err)
			}
			if took := time.Since(asked); took < away {
				t.Errorf("%q: %s after %v", turn.commands, code, took)
			}
			if code != "221" && code != "354" && in.Buffered() == 0 && len(turn.replies) > 1 {
				t.Errorf("%q: %s came alone", turn.commands, code)
			}
		}
	}
	if n := c.taken.Load(); n != 2 {
		t.Errorf("%d of 2", n)
	}
}

// sendTwo sends a message, in which lines begin with dots, to two recipients.
func sendTwo(t *testing.T, addr string) {
	t.Helper()
	conn, err := smtpclient.Dial(t.Context(), addr, smtpclient.Options{TLS: smtpclient.TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Quit()
	to := []smtp.Address{{Local: "a", Domain: "b.example"}, {Local: "c", Domain: "b.example"}}
	if err := conn.Begin(&smtpclient.Envelope{From: to[0], To: to}); err != nil {
		t.Fatal(err)
	}
	if a, err := conn.ReadEnvelope(); err != nil || !a.Go() {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := conn.Body(smtpclient.Prepare([]byte("Subject: x\r\n\r\n.\r\n.. DATA\r\n"))); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.Finish(nil); err != nil || !r.Positive() {
		t.Fatalf("%v, %v", r, err)
	}
}
