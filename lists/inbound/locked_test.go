package inbound_test

import (
	"strings"
	"testing"
	"time"

	"muster/lists"
	"muster/lists/inbound"
	"muster/smtp/smtpserver"
)

// TestDatabaseLocked is check D09 for a database that is there and does not answer: 451 after a
// while, not a session that hangs, and all is well when it answers again.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	const wait = time.Second // as long as a busy machine may take for what is not locked
	h.lists = lists.New(h.pool, lists.Config{Hostname: "mx.lists.example", Wait: wait})
	h.backend = inbound.New(h.lists, inbound.Config{Hostname: "mx.lists.example", Wait: wait})
	l := h.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "ann@a.example")
	h.add(l, "Fred Foo <fred@doc.example>")
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO me.example")
	c.want("MAIL FROM:<ann@a.example>", "250 *")
	c.want("RCPT TO:<dev@lists.example>", "250 *")
	lock, err := h.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "LOCK TABLE domain, list, member, post, seen IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	c.want("RCPT TO:<dev@lists.example>", "451 4.3.0 *")
	c.want("EXPN dev", "252 2.5.2 *")
	c.want("VRFY fred@doc.example", "252 2.5.2 *")
	c.want("RSET", "250 *")
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reply := c.send("ann@a.example", []string{"dev@lists.example"}, "From: ann@a.example\nSubject: x\n\nx\n"); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("unlocked: %s", reply)
	}
	c.want("EXPN dev@lists.example", "250 2.1.5 Fred Foo <fred@doc.example>")
}
