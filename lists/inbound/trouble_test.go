package inbound_test

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists"
	"muster/smtp/smtpserver"
)

// TestConversation is the one a man page would show, by hand.
func TestConversation(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	l := h.list("c-help@lists.example", map[string]string{"name": "C help"}, "ann@a.example")
	h.add(l, "Fred Foo <fred@doc.ic.ac.uk>", "Sam Q. Smith <sam@s.example>")
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")())
	c.want("HELO wombat.doc.ic.ac.uk", "250 *")
	c.want("VRFY fred@doc.ic.ac.uk", "250 Fred Foo <fred@doc.ic.ac.uk>")
	c.want("VRFY postmaster", "250 Postmaster <postmaster@lists.example>")
	c.want("EXPN c-help", "250-Fred Foo <fred@doc.ic.ac.uk> / 250 Sam Q. Smith <sam@s.example>")
	reply := c.send("fred@doc.ic.ac.uk", []string{"c-help@lists.example"}, "From: fred@doc.ic.ac.uk\nSubject: How?\n\nLike this:\n..\n")
	if !strings.HasPrefix(reply, "250 ") {
		t.Errorf("posted: %s", reply)
	}
	if n := h.count(`SELECT count(*) FROM post WHERE state = 'accepted' AND sender = 'fred@doc.ic.ac.uk'`); n != 1 {
		t.Errorf("%d posts", n)
	}
	c.want("MAIL FROM:<eve@e.example>", "250 *")
	c.want("RCPT TO:<c-help@lists.example>", "250 *")
	c.want("RCPT TO:<victim@other.example>", "550 *")
	c.want("RCPT TO:<postmaster>", "250 *")
	c.want("QUIT", "221 *")
}

// TestPlaces sends to the addresses beside a list what a person would, over the wire.
func TestPlaces(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	l := h.list("dev@lists.example", nil, "owner@a.example")
	if _, err := h.lists.CreatePerson(t.Context(), lists.CLI(), lists.NewPerson{Address: h.addr("root@a.example"), Admin: true}); err != nil {
		t.Fatal(err)
	}
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO me.example")
	for _, place := range []string{"dev-join@lists.example", "dev-request@lists.example", "dev-owner@lists.example", "abuse@lists.example"} {
		if reply := c.send("ann@a.example", []string{place}, "From: ann@a.example\nSubject: help\n\nhelp\n"); !strings.HasPrefix(reply, "250 ") {
			t.Errorf("%s: %s", place, reply)
		}
	}
	var token string
	if err := h.pool.QueryRow(t.Context(), `SELECT params ->> 'Token' FROM notice WHERE kind = 'join-confirm' AND address = 'ann@a.example'`).Scan(&token); err != nil {
		t.Fatal(err)
	}
	confirm := []string{"dev-confirm+" + token + "@lists.example"}
	if reply := c.send("", confirm, "From: ann@a.example\nAuto-Submitted: auto-replied\n\nI am away.\n"); !strings.HasPrefix(reply, "550 5.7.1 ") {
		t.Errorf("a vacation confirms: %s", reply)
	}
	if reply := c.send("ann@a.example", confirm, "From: ann@a.example\n\nyes\n"); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("confirmed: %s", reply)
	}
	if _, err := h.lists.Member(t.Context(), lists.CLI(), l.ID, h.addr("ann@a.example")); err != nil {
		t.Errorf("no member: %v", err)
	}
	if n := h.count(`SELECT count(*) FROM notice WHERE kind = 'command-answer'`); n != 1 {
		t.Errorf("%d answers", n)
	}
	if n := h.count(`SELECT count(*) FROM post WHERE kind IN ('owners', 'admins')`); n != 2 {
		t.Errorf("%d mails forwarded", n)
	}
}

// TestPlacesThatWait puts off a recipient that has to wait, and not the others with it. Postmaster is
// a recipient always.
func TestPlacesThatWait(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	h.list("full@lists.example", nil, "owner@a.example")
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO me.example")
	for n := range 30 {
		if reply := c.send("a@a.example", []string{"full-owner@lists.example"}, fmt.Sprintf("From: a@a.example\nSubject: %d\n\nx\n", n)); !strings.HasPrefix(reply, "250 ") {
			t.Fatalf("mail %d: %s", n, reply)
		}
	}
	c.want("MAIL FROM:<a@a.example>", "250 *")
	c.want("RCPT TO:<dev-owner@lists.example>", "450 4.7.1 *")
	c.want("RCPT TO:<abuse@lists.example>", "450 4.7.1 *")
	c.want("RCPT TO:<full-owner@lists.example>", "450 4.7.1 *")
	c.want("RCPT TO:<postmaster>", "250 *")
	c.want("RCPT TO:<postmaster@lists.example>", "250 *")
	c.want("DATA", "354 *")
	c.want("From: a@a.example\r\n\r\nx\r\n.", "450 4.7.1 *")
	c.want("MAIL FROM:<a@a.example>", "250 *")
	c.want("RCPT TO:<postmaster>", "250 *")
	c.want("RCPT TO:<dev@lists.example>", "250 *")
	c.want("RCPT TO:<dev-owner@lists.example>", "450 4.7.1 *")
	c.want("DATA", "354 *")
	c.want("From: a@a.example\r\n\r\nx\r\n.", "250 *")
	if n := h.count(`SELECT count(*) FROM post WHERE kind = 'post'`); n != 1 {
		t.Errorf("%d posts", n)
	}
}

// away takes the database away and returns what brings it back.
func (h *host) away() (back func()) {
	h.t.Helper()
	u, err := url.Parse(h.url)
	if err != nil {
		h.t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	conn, err := pgx.Connect(h.t.Context(), u.String())
	if err != nil {
		h.t.Fatal(err)
	}
	do := func(sql string) {
		h.t.Helper()
		if _, err := conn.Exec(h.t.Context(), sql); err != nil {
			h.t.Fatalf("%s: %v", sql, err)
		}
	}
	quoted := pgx.Identifier{name}.Sanitize()
	do("ALTER DATABASE " + quoted + " WITH ALLOW_CONNECTIONS false")
	do("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '" + name + "'")
	return func() {
		h.t.Helper()
		do("ALTER DATABASE " + quoted + " WITH ALLOW_CONNECTIONS true")
		if err := conn.Close(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestDatabaseComesBack goes on with the same session when the trouble is over.
func TestDatabaseComesBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	h.person("bob@b.example")
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO me.example")
	c.want("MAIL FROM:<a@a.example>", "250 *")
	c.want("RCPT TO:<dev@lists.example>", "250 *")
	back := h.away()
	c.want("RCPT TO:<dev@lists.example>", "451 4.3.0 *")
	c.want("DATA", "354 *")
	c.want("From: a@a.example\r\n\r\nx\r\n.", "451 4.3.0 *")
	c.want("EXPN dev@lists.example", cannotSay)
	c.want("VRFY postmaster", cannotSay)
	if reply := c.say(auth("bob@b.example")); !strings.HasPrefix(reply, "4") {
		t.Errorf("AUTH: %s", reply)
	}
	back()
	if reply := c.send("a@a.example", []string{"dev@lists.example"}, "From: a@a.example\n\nx\n"); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("afterwards: %s", reply)
	}
	c.want(auth("bob@b.example"), "235 *")
	if n := h.count(`SELECT count(*) FROM post`); n != 1 {
		t.Errorf("%d posts", n)
	}
}

// TestDatabaseGoesAwayDuringEXPN must not let what was read be taken for the list.
func TestDatabaseGoesAwayDuringEXPN(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	l := h.list("dev@lists.example", nil)
	if _, err := h.pool.Exec(t.Context(), `INSERT INTO member (list, key, address, domain)
		SELECT $1, n || '@d.example', n || '@d.example', 'd.example' FROM generate_series(1, 60000) n`, l.ID); err != nil {
		t.Fatal(err)
	}
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "unix")(), "EHLO me.example")
	if _, err := fmt.Fprint(c.conn, "EXPN dev@lists.example\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := c.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "250-2.1.5 <") {
		t.Fatalf("%q, %v", line, err)
	}
	defer h.away()()
	if err := c.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(c.in)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(rest), "\n"); n >= 59_999 || strings.Contains(string(rest), "\n250 ") {
		t.Errorf("%d more lines, ended by %q", n, rest[max(0, len(rest)-60):])
	}
}
