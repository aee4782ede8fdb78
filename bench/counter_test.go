package main

import (
	"context"
	"errors"
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
