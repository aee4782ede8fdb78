package inbound_test

import (
	"bytes"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/lists/inbound"
	"muster/smtp/smtpserver"
)

// counted is what was counted that is not 0.
func (h *host) counted() (map[inbound.Question]int64, map[string]int64) {
	questions, messages := map[inbound.Question]int64{}, map[string]int64{}
	for q, n := range h.backend.Counts().Questions() {
		if n != 0 {
			questions[q] = n
		}
	}
	for outcome, n := range h.backend.Counts().Messages() {
		if n != 0 {
			messages[outcome] = n
		}
	}
	return questions, messages
}

func TestCounts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.add(h.list("dev@lists.example", map[string]string{"post_policy": "anyone"}), "bob@b.example")
	h.add(h.list("calm@lists.example", map[string]string{"post_policy": "moderators"}, "owner@a.example"), "bob@b.example")
	h.list("twin@one.example", nil)
	h.list("twin@two.example", nil)
	h.person("out@o.example")
	server := &smtpserver.Server{Trusted: trustAll}
	near := h.serve(server, "tcp")
	far := h.serve(&smtpserver.Server{}, "tcp")
	trusted := h.talk(near(), "EHLO me.example")
	other := h.talk(far(), "EHLO me.example", auth("out@o.example"))
	stranger := h.talk(far(), "EHLO me.example")
	if n := h.backend.Counts().Sessions(); n != 3 {
		t.Errorf("%d sessions open, want 3", n)
	}

	trusted.want("EXPN dev@lists.example", "250 *")
	trusted.want("EXPN dev@lists.example", "250 *")
	trusted.want("EXPN nosuch@lists.example", "550 *")
	trusted.want("VRFY dev@lists.example", "250 *")
	trusted.want("VRFY twin", "553-*")
	other.want("EXPN dev@lists.example", denied)
	stranger.want("EXPN dev@lists.example", cannotSay)
	stranger.want("VRFY nosuch@lists.example", cannotSay)

	const message = "From: bob@b.example\nMessage-ID: <1@b.example>\nSubject: Once\n\nHello.\n"
	for _, m := range []struct{ to, text, reply string }{
		{"dev@lists.example", message, "250 2.0.0 Accepted, "},
		{"dev@lists.example", message, "250 2.0.0 Accepted before"},
		{"calm@lists.example", message, "250 2.0.0 Held "},
		{"dev@lists.example", "Subject: From nobody\n\nHello.\n", "554 "},
	} {
		if reply := trusted.send("bob@b.example", []string{m.to}, m.text); !strings.HasPrefix(reply, m.reply) {
			t.Errorf("to %s: %s, want %s", m.to, reply, m.reply)
		}
	}

	questions, messages := h.counted()
	if d := cmp.Diff(map[inbound.Question]int64{
		{Verb: "EXPN", By: "trusted", Answer: "listed"}:        2,
		{Verb: "EXPN", By: "trusted", Answer: "refused"}:       1,
		{Verb: "VRFY", By: "trusted", Answer: "listed"}:        1,
		{Verb: "VRFY", By: "trusted", Answer: "ambiguous"}:     1,
		{Verb: "EXPN", By: "authenticated", Answer: "refused"}: 1,
		{Verb: "EXPN", By: "stranger", Answer: "cannot_tell"}:  1,
		{Verb: "VRFY", By: "stranger", Answer: "cannot_tell"}:  1,
	}, questions); d != "" {
		t.Errorf("questions (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int64{"accepted": 1, "duplicate": 1, "held": 1, "refused": 1}, messages); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	refusals := h.lists.Refusals()
	maps.DeleteFunc(refusals, func(_ string, n int64) bool { return n == 0 })
	if d := cmp.Diff(map[string]int64{"from": 1}, refusals); d != "" {
		t.Errorf("refusals (-want +got):\n%s", d)
	}
	// EXPN of nobody, the ambiguous VRFY, and the message.
	if temporary, permanent := server.Refused(); temporary != 0 || permanent != 3 {
		t.Errorf("replies that refused: %d temporary, %d permanent", temporary, permanent)
	}
}

// What the database did not answer is not what may not be said, though the client hears the same.
func TestCountsOfTrouble(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.add(h.list("dev@lists.example", map[string]string{"post_policy": "anyone"}), "bob@b.example")
	server := &smtpserver.Server{Trusted: trustAll}
	c := h.talk(h.serve(server, "tcp")(), "EHLO me.example")
	c.say("MAIL FROM:<bob@b.example>")
	c.want("RCPT TO:<dev@lists.example>", "250 *")
	c.want("DATA", "354 *")
	h.pool.Close()
	if reply := c.say("From: bob@b.example\r\n\r\nHello.\r\n."); !strings.HasPrefix(reply, "451 ") {
		t.Errorf("message: %s", reply)
	}
	c.want("EXPN dev@lists.example", cannotSay)
	c.want("VRFY dev@lists.example", cannotSay)
	questions, messages := h.counted()
	if d := cmp.Diff(map[inbound.Question]int64{
		{Verb: "EXPN", By: "trusted", Answer: "failed"}: 1,
		{Verb: "VRFY", By: "trusted", Answer: "failed"}: 1,
	}, questions); d != "" {
		t.Errorf("questions (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int64{"failed": 1}, messages); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	if temporary, permanent := server.Refused(); temporary != 1 || permanent != 0 {
		t.Errorf("replies that refused: %d temporary, %d permanent", temporary, permanent)
	}
}

// TestLogNamesNoPostWhereThereIsNone has a bounce, which makes none, beside a post, which is named.
func TestLogNamesNoPostWhereThereIsNone(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	var log bytes.Buffer
	h.backend = inbound.New(h.lists, inbound.Config{Hostname: h.name, Log: slog.New(slog.NewTextHandler(&log, nil))})
	c := h.talk(h.serve(&smtpserver.Server{}, "tcp")(), "EHLO me.example")
	c.send("eve@e.example", []string{"dev@lists.example"}, letter("eve@e.example", 1))
	c.send("eve@e.example", []string{"dev-bounces@lists.example"}, letter("eve@e.example", 2))
	c.want("NOOP", "250 *") // answered after both were logged
	text := log.String()
	if !strings.Contains(text, "fate=accepted post=0") || !strings.Contains(text, "fate=done\n") {
		t.Errorf("logged\n%s", text)
	}
}
