package inbound_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"muster/lists"
	"muster/smtp/smtpserver"
)

// letter is a post, by its author and a number for its Message-ID.
func letter(from string, n int) string {
	return fmt.Sprintf("From: Ann <%s>\nSubject: hello\nMessage-ID: <%d@a.example>\n\nhello\n", from, n)
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	h := newHostNamed(t, "lists.example")
	h.list("dev@lists.example", nil, "ann@a.example")
	if _, err := h.lists.CreatePerson(t.Context(), lists.CLI(), lists.NewPerson{Address: h.addr("root@a.example"), Admin: true}); err != nil {
		t.Fatal(err) // to read what goes to abuse@
	}
	c := h.talk(h.serve(&smtpserver.Server{}, "tcp")(), "EHLO c.example")
	c.wantAll("MAIL FROM:<x@x.example>", "250 *",
		"RCPT TO:<dev@lists.example>", "250 2.1.5 *",
		"RCPT TO:<DEV@Lists.Example>", "250 *",
		"RCPT TO:<dev-owner@lists.example>", "250 *",
		"RCPT TO:<dev-bounces+abcdefghijklmnopqrstuvwxyz@lists.example>", "250 *",
		"RCPT TO:<postmaster>", "250 *",
		"RCPT TO:<Postmaster@lists.example>", "250 *",
		"RCPT TO:<abuse@lists.example>", "250 *",
		"RCPT TO:<nobody@lists.example>", "550 5.1.1 *",
		"RCPT TO:<nobody-owner@lists.example>", "550 5.1.1 *",
		"RCPT TO:<victim@other.example>", "550 5.7.1 *",
		"RCPT TO:<@lists.example:victim@other.example>", "55*",
		"RCPT TO:<victim%other.example@lists.example>", "550 5.1.1 *",
		`RCPT TO:<"victim@other.example"@lists.example>`, "55*",
		"RCPT TO:<ann@a.example>", "550 5.7.1 *",
		"QUIT", "221 *")
}

func TestPolicyAtTheEndOfData(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.add(h.list("dev@lists.example", nil, "ann@a.example"), "bob@b.example")
	h.add(h.list("open@lists.example", map[string]string{"post_policy": "anyone"}), "bob@b.example")
	h.add(h.list("mod@lists.example", map[string]string{"post_policy": "moderators"}, "ann@a.example"), "bob@b.example")
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO c.example")
	for _, tt := range []struct {
		n        int
		from, to string
		want     string
	}{
		{1, "eve@e.example", "dev", "550 5.7.1 Only members may post to dev@lists.example;"},
		{2, "bob@b.example", "dev", "250 2.0.0 Accepted,"},
		{2, "bob@b.example", "dev", "250 2.0.0 Accepted before"},
		{3, "ann@a.example", "dev", "250 2.0.0 Accepted,"},
		{4, "bob@b.example", "mod", "250 2.0.0 Held"},
		{5, "eve@e.example", "open dev", "250 2.0.0 Accepted,"},
	} {
		to := strings.Fields(tt.to)
		for i := range to {
			to[i] += "@lists.example"
		}
		if got := c.send(tt.from, to, letter(tt.from, tt.n)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("message %d of %s to %s: %s, want %s", tt.n, tt.from, tt.to, got, tt.want)
		}
	}
	if n := h.count("SELECT count(*) FROM post WHERE state = 'accepted'"); n != 3 {
		t.Errorf("%d posts accepted", n)
	}
	// The part of the last message that dev refused is not lost: nobody proved to be eve.
	if n := h.count("SELECT count(*) FROM post p JOIN list l ON l.id = p.list WHERE p.state = 'held' AND l.local = 'dev'"); n != 1 {
		t.Errorf("%d posts held of the mixed message", n)
	}
}

func TestOtherBody(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "HELO c.example")
	to := []string{"dev@lists.example"}
	if got := c.send("ann@a.example", to, letter("ann@a.example", 1)); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	const want = "554 Another message with this Message-ID"
	if got := c.send("ann@a.example", to, letter("ann@a.example", 1)+"other\n"); !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLMTP(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.add(h.list("dev@lists.example", nil, "ann@a.example"), "bob@b.example")
	h.add(h.list("open@lists.example", map[string]string{"post_policy": "anyone"}), "bob@b.example")
	c := h.talk(h.serve(&smtpserver.Server{LMTP: true, Trusted: trustAll}, "tcp")(), "LHLO front.example")
	got := c.send("eve@e.example", []string{"dev@lists.example", "open@lists.example", "dev-owner@lists.example"}, letter("eve@e.example", 1))
	for _, want := range []string{"550 5.7.1 Only members", "250 2.0.0 Accepted,", "250 2.0.0 Accepted,"} {
		if got == "" {
			got = c.read()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
		got = ""
	}
	c.want("QUIT", "221 *")
	if n := h.count("SELECT count(*) FROM post WHERE state = 'held'"); n != 0 {
		t.Errorf("%d posts held: over LMTP each recipient has its own answer", n)
	}
}

// TestQuestionsOfAServedHost asks by bare names where the server's own name is a domain of lists,
// from before any hello on: enhanced codes come with EHLO only, and then in every line (RFC 2034).
func TestQuestionsOfAServedHost(t *testing.T) {
	t.Parallel()
	h := newHostNamed(t, "lists.example")
	h.add(h.list("c-help@lists.example", map[string]string{"name": "C help"}, "ann@a.example"),
		"Fred Foo <fred@doc.example>", "Sam Q. Smith <sam@b.example>", "eve@c.example")
	h.list("c-help@other.example", nil)
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")())
	c.wantAll("EXPN c-help", "250-<eve@c.example> / 250-Fred Foo <fred@doc.example> / 250 Sam Q. Smith <sam@b.example>",
		"VRFY nothing", "550 There is no such address here",
		"HELO c.example", "250 *",
		"VRFY fred@doc.example", "250 Fred Foo <fred@doc.example>")
	if got := c.say("EHLO c.example"); !strings.Contains(got, " 250-EXPN / ") && !strings.HasSuffix(got, " 250 EXPN") {
		t.Errorf("EHLO: %s, want EXPN in it", got)
	}
	c.wantAll("EXPN c-help", "250-2.1.5 <eve@c.example> / 250-2.1.5 Fred Foo <fred@doc.example> / 250 2.1.5 Sam Q. Smith <sam@b.example>",
		"EXPN c-help-owner", "250 2.1.5 <ann@a.example>",
		"VRFY c-help", "250 2.1.5 C help <c-help@lists.example>",
		"VRFY postmaster", "250 2.1.5 Postmaster <postmaster@lists.example>",
		"QUIT", "221 *")
}

// TestStrangersLearnNothing is check S20: the same answer whatever is asked, and whoever could not
// prove who they are.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	h := newHostNamed(t, "lists.example")
	h.add(h.list("dev@lists.example", nil, "ann@a.example"), "bob@b.example")
	h.person("bob@b.example")
	h.person("eve@e.example")
	dial := h.serve(&smtpserver.Server{}, "tcp")
	c := h.talk(dial(), "EHLO c.example")
	for _, q := range []string{"dev", "dev@lists.example", "dev-owner", "bob@b.example", "nobody@lists.example", "postmaster", "@@"} {
		c.wantAll("EXPN "+q, cannotSay, "VRFY "+q, cannotSay)
	}
	c.wantAll(authWith("bob@b.example", "wrong"), "535 5.7.8 *", authWith("who@b.example", "wrong"), "535 5.7.8 *",
		auth("bob@b.example"), "235 *", "EXPN dev", "250 2.1.5 <bob@b.example>",
		"EXPN nobody@lists.example", "550 5.1.1 *", "VRFY bob@b.example", "252 *")
	h.talk(dial(), "EHLO c.example", auth("eve@e.example")).wantAll("EXPN dev", denied, "VRFY dev", "252 *")
}

// TestPostAsOneself holds who signed in to their own addresses.
func TestPostAsOneself(t *testing.T) {
	t.Parallel()
	h := newHostNamed(t, "lists.example")
	h.add(h.list("dev@lists.example", nil, "ann@a.example"), "bob@b.example")
	h.person("bob@b.example")
	c := h.talk(h.serve(&smtpserver.Server{}, "tcp")(), "EHLO c.example", auth("bob@b.example"))
	for i, tt := range []struct{ from, want string }{
		{"ann@a.example", "550 5.7.1 You are signed in as somebody else"},
		{"bob@b.example", "250 "},
	} {
		if got := c.send("bob@b.example", []string{"dev@lists.example"}, letter(tt.from, i)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("From %s: %s, want %s", tt.from, got, tt.want)
		}
	}
	var received string
	if err := h.pool.QueryRow(t.Context(), "SELECT received FROM post").Scan(&received); err != nil {
		t.Fatal(err)
	}
	want := "Received: from c.example ([[]127.0.0.1])\r\n\tby lists.example (Muster) with ESMTPA id *\r\n\tfor <dev@lists.example>; *\r\n"
	if ok, err := path.Match(want, received); err != nil || !ok {
		t.Errorf("%q", received)
	}
}

// TestDatabaseAway is check D09: 451, and no word of why.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	h := newHostNamed(t, "lists.example")
	h.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	c := h.talk(h.serve(&smtpserver.Server{Trusted: trustAll}, "tcp")(), "EHLO c.example")
	c.wantAll("MAIL FROM:<ann@a.example>", "250 *", "RCPT TO:<dev@lists.example>", "250 *")
	h.pool.Close()
	c.wantAll("RCPT TO:<dev@lists.example>", "451 4.3.0 *", "DATA", "354 *",
		strings.ReplaceAll(letter("ann@a.example", 1), "\n", "\r\n")+".", "451 4.3.0 *",
		"EXPN dev", "252 2.5.2 *", "VRFY dev", "252 2.5.2 *", "NOOP", "250 *")
}
