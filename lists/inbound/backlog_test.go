package inbound_test

import (
	"sync/atomic"
	"testing"

	"muster/lists"
	"muster/lists/inbound"
	"muster/smtp/smtpserver"
)

// Posts are put off, one by one at RCPT, while too much waits; what else comes is taken.
func TestBacklogPutsPostsOff(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var full atomic.Bool
	h.lists = lists.New(h.pool, lists.Config{Hostname: "mx.lists.example", Full: full.Load})
	h.backend = inbound.New(h.lists, inbound.Config{Hostname: "mx.lists.example"})
	h.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "ann@a.example")
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO me.example")
	c.want("MAIL FROM:<ann@a.example>", "250 *")
	full.Store(true)
	c.want("RCPT TO:<dev@lists.example>", "451 4.3.1 Too much mail waits to be sent from here; try again later")
	c.want("RCPT TO:<dev-owner@lists.example>", "250 *")
	c.want("RCPT TO:<dev-leave@lists.example>", "250 *")
	full.Store(false)
	c.want("RCPT TO:<dev@lists.example>", "250 *")
}
