package inbound_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"muster/lists"
	"muster/lists/inbound"
	"muster/migrations/testdb"
	"muster/smtp"
	"muster/smtp/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a server in front of lists on a database of their own.
type site struct {
	*lists.Service
	t    *testing.T
	pool *pgxpool.Pool
	addr string
}

type options struct {
	lmtp     bool
	stranger bool // the client is on no trusted network
}

func newSite(t *testing.T, o options) *site {
	t.Helper()
	s := &site{t: t, pool: testdb.New(t)}
	s.Service = lists.New(s.pool, lists.Config{Hostname: "lists.example"})
	server := &smtpserver.Server{
		Hostname: "lists.example", Backend: inbound.New(s.Service, inbound.Config{Hostname: "lists.example"}),
		LMTP: o.lmtp, AllowPlainAuth: true, Trusted: func(netip.Addr) bool { return !o.stranger },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-done
	})
	return s
}

func parse(t *testing.T, a string) smtp.Address {
	t.Helper()
	address, err := smtp.ParseAddress(a)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// list makes a list with an owner, settings as key=value and members.
func (s *site) list(address string, settings []string, members ...string) lists.List {
	s.t.Helper()
	ctx := s.t.Context()
	l, err := s.CreateList(ctx, lists.CLI(), lists.NewList{Address: parse(s.t, address), Owners: []smtp.Address{parse(s.t, "ann@a.example")}})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		if l, err = s.SetList(ctx, lists.CLI(), l.ID, []lists.Change{{Key: key, Value: value}}); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, m := range members {
		box, err := smtp.ParseMailbox(m)
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.AddMember(ctx, lists.CLI(), l.ID, lists.NewMember{Mailbox: box}); err != nil {
			s.t.Fatal(err)
		}
	}
	return l
}

// person makes somebody who can sign in.
func (s *site) person(address string) string {
	s.t.Helper()
	password := rand.Text()
	if _, err := s.CreatePerson(s.t.Context(), lists.CLI(), lists.NewPerson{Address: parse(s.t, address), Password: password}); err != nil {
		s.t.Fatal(err)
	}
	return password
}

// count is a number from the database.
func (s *site) count(sql string) (n int) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), sql).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// talk says lines and compares the replies: each want is a pattern of path.Match, its lines joined
// with " / ". A say of several lines is sent at once.
func (s *site) talk(script ...string) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	for i, text := range script {
		if say, ok := strings.CutPrefix(text, "C: "); ok {
			if _, err := io.WriteString(c, strings.ReplaceAll(say, "\n", "\r\n")+"\r\n"); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		got := reply(s.t, r)
		if ok, err := path.Match(strings.TrimPrefix(text, "S: "), strings.ReplaceAll(got, "/", "|")); err != nil || !ok {
			s.t.Errorf("step %d: %q, want %q", i+1, got, text)
		}
	}
}

// reply reads one reply, its lines joined with " | ".
func reply(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var lines []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%q, then %v", lines, err)
		}
		line = strings.TrimRight(line, "\r\n")
		lines = append(lines, line)
		if line[3] == ' ' {
			return strings.Join(lines, " | ")
		}
	}
}

func plain(user, password string) string {
	return "C: AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

const post = "C: From: Ann <ann@a.example>\nSubject: hello\nMessage-ID: <%s@a.example>\n\nhello\n."

func TestRecipients(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{stranger: true})
	s.list("dev@lists.example", nil)
	if _, err := s.CreatePerson(t.Context(), lists.CLI(), lists.NewPerson{Address: parse(t, "root@a.example"), Admin: true}); err != nil {
		t.Fatal(err) // to read what goes to abuse@
	}
	s.talk("S: 220 *", "C: EHLO c.example", "S: 250-*", "C: MAIL FROM:<x@x.example>", "S: 250 *",
		"C: RCPT TO:<dev@lists.example>", "S: 250 2.1.5 *",
		"C: RCPT TO:<DEV@Lists.Example>", "S: 250 *",
		"C: RCPT TO:<dev-owner@lists.example>", "S: 250 *",
		"C: RCPT TO:<dev-bounces+abcdefghijklmnopqrstuvwxyz@lists.example>", "S: 250 *",
		"C: RCPT TO:<postmaster>", "S: 250 *",
		"C: RCPT TO:<Postmaster@lists.example>", "S: 250 *",
		"C: RCPT TO:<abuse@lists.example>", "S: 250 *",
		"C: RCPT TO:<nobody@lists.example>", "S: 550 5.1.1 *",
		"C: RCPT TO:<nobody-owner@lists.example>", "S: 550 5.1.1 *",
		"C: RCPT TO:<victim@other.example>", "S: 550 5.7.1 *",
		"C: RCPT TO:<@lists.example:victim@other.example>", "S: 55[0-9] *",
		"C: RCPT TO:<victim%other.example@lists.example>", "S: 550 5.1.1 *",
		"C: RCPT TO:<\"victim@other.example\"@lists.example>", "S: 55[0-9] *",
		"C: RCPT TO:<ann@a.example>", "S: 550 5.7.1 *",
		"C: QUIT", "S: 221 *")
}

func TestPolicyAtTheEndOfData(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.list("dev@lists.example", nil, "bob@b.example")
	s.list("open@lists.example", []string{"post_policy=anyone"}, "bob@b.example")
	s.list("mod@lists.example", []string{"post_policy=moderators"}, "bob@b.example")
	say := func(n int, from string, to ...string) []string {
		steps := []string{"C: MAIL FROM:<" + from + ">", "S: 250 *"}
		for _, a := range to {
			steps = append(steps, "C: RCPT TO:<"+a+">", "S: 250 *")
		}
		return append(steps, "C: DATA", "S: 354 *", fmt.Sprintf(strings.ReplaceAll(post, "ann@a.example", from), fmt.Sprint(n)))
	}
	script := []string{"S: 220 *", "C: EHLO c.example", "S: 250-*"}
	add := func(want string, steps []string) { script = append(append(script, steps...), want) }
	add("S: 550 5.7.1 Only members may post to dev@lists.example;*", say(1, "eve@e.example", "dev@lists.example"))
	add("S: 250 2.0.0 Accepted,*", say(2, "bob@b.example", "dev@lists.example"))
	add("S: 250 2.0.0 Accepted before", say(2, "bob@b.example", "dev@lists.example"))
	add("S: 250 2.0.0 Accepted,*", say(3, "ann@a.example", "dev@lists.example"))
	add("S: 250 2.0.0 Held*", say(4, "bob@b.example", "mod@lists.example"))
	add("S: 250 2.0.0 Accepted,*", say(5, "eve@e.example", "open@lists.example", "dev@lists.example"))
	s.talk(append(script, "C: QUIT", "S: 221 *")...)
	if n := s.count("SELECT count(*) FROM post WHERE state = 'accepted'"); n != 3 {
		t.Errorf("%d posts accepted", n)
	}
	// The part of the last message that dev refused is not lost: nobody proved to be eve.
	if n := s.count("SELECT count(*) FROM post p JOIN list l ON l.id = p.list WHERE p.state = 'held' AND l.local = 'dev'"); n != 1 {
		t.Errorf("%d posts held of the mixed message", n)
	}
}

func TestOtherBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.list("dev@lists.example", []string{"post_policy=anyone"}, "bob@b.example")
	start := []string{"C: MAIL FROM:<ann@a.example>", "S: 250 *", "C: RCPT TO:<dev@lists.example>", "S: 250 *", "C: DATA", "S: 354 *"}
	script := append([]string{"S: 220 *", "C: HELO c.example", "S: 250 *"}, start...)
	script = append(append(script, fmt.Sprintf(post, "1"), "S: 250 *"), start...)
	s.talk(append(script, fmt.Sprintf(strings.Replace(post, "hello\n.", "other\n.", 1), "1"), "S: 554 Another message with this Message-ID*")...)
}

func TestLMTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{lmtp: true})
	s.list("dev@lists.example", nil, "bob@b.example")
	s.list("open@lists.example", []string{"post_policy=anyone"}, "bob@b.example")
	s.talk("S: 220 *", "C: LHLO front.example", "S: 250-*", "C: MAIL FROM:<eve@e.example>", "S: 250 *",
		"C: RCPT TO:<dev@lists.example>", "S: 250 *", "C: RCPT TO:<open@lists.example>", "S: 250 *", "C: RCPT TO:<dev-owner@lists.example>", "S: 250 *",
		"C: DATA", "S: 354 *", fmt.Sprintf(strings.ReplaceAll(post, "ann@a.example", "eve@e.example"), "1"),
		"S: 550 5.7.1 Only members*", "S: 250 2.0.0 Accepted,*", "S: 250 2.0.0 Accepted,*", "C: QUIT", "S: 221 *")
	if n := s.count("SELECT count(*) FROM post WHERE state = 'held'"); n != 0 {
		t.Errorf("%d posts held: over LMTP each recipient has its own answer", n)
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.list("c-help@lists.example", []string{"name=C help"}, "Fred Foo <fred@doc.example>", "Sam Q. Smith <sam@b.example>", "eve@c.example")
	s.list("twin@one.example", []string{"name=One"})
	s.list("twin@two.example", []string{"name=Two"})
	s.list("empty@lists.example", nil)
	s.list("shut@lists.example", []string{"expn=nobody"}, "eve@c.example")
	// Without a hello, and after HELO, no enhanced codes; with EHLO, in every line (RFC 2034).
	s.talk("S: 220 *", "C: EXPN c-help", "S: 250-<eve@c.example> | 250-Fred Foo <fred@doc.example> | 250 Sam Q. Smith <sam@b.example>",
		"C: HELO c.example", "S: 250 *", "C: VRFY fred@doc.example", "S: 250 Fred Foo <fred@doc.example>",
		"C: EHLO c.example", "S: 250-*EXPN*",
		"C: EXPN c-help@lists.example", "S: 250-2.1.5 <eve@c.example> | 250-2.1.5 Fred Foo <fred@doc.example> | 250 2.1.5 Sam Q. Smith <sam@b.example>",
		"C: EXPN c-help-owner", "S: 250 2.1.5 <ann@a.example>",
		"C: EXPN empty", "S: 550 5.1.1 That list has no members",
		"C: EXPN shut", "S: 252 2.5.2 *",
		"C: EXPN fred@doc.example", "S: 550 5.1.1 That is a user name, not a mailing list",
		"C: EXPN nothing", "S: 550 5.1.1 *",
		"C: EXPN twin", "S: 550 5.1.4 Ambiguous: give the domain",
		"C: VRFY twin", "S: 553-5.1.4 Ambiguous; Possibilities are | 553-5.1.4 One <twin@one.example> | 553 5.1.4 Two <twin@two.example>",
		"C: VRFY c-help", "S: 250 2.1.5 C help <c-help@lists.example>",
		"C: VRFY postmaster", "S: 250 2.1.5 Postmaster <postmaster@lists.example>",
		"C: VRFY who@elsewhere.example", "S: 252 2.5.2 *",
		"C: QUIT", "S: 221 *")
}

// TestStrangersLearnNothing is check S20: the same answer whatever is asked.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{stranger: true})
	s.list("dev@lists.example", nil, "bob@b.example")
	password := s.person("bob@b.example")
	script := []string{"S: 220 *", "C: EHLO c.example", "S: 250-*"}
	for _, q := range []string{"dev", "dev@lists.example", "dev-owner", "bob@b.example", "nobody@lists.example", "postmaster", "@@"} {
		script = append(script, "C: EXPN "+q, "S: 252 2.5.2 Cannot say; send mail and it will be tried",
			"C: VRFY "+q, "S: 252 2.5.2 Cannot say; send mail and it will be tried")
	}
	script = append(script, plain("bob@b.example", "wrong"), "S: 535 5.7.8 *", plain("who@b.example", "wrong"), "S: 535 5.7.8 *",
		plain("bob@b.example", password), "S: 235 *", "C: EXPN dev", "S: 250 2.1.5 <bob@b.example>",
		"C: EXPN nobody@lists.example", "S: 550 5.1.1 *", "C: VRFY bob@b.example", "S: 252 *")
	s.talk(script...)
	eve := s.person("eve@e.example")
	s.talk("S: 220 *", "C: EHLO c.example", "S: 250-*", plain("eve@e.example", eve), "S: 235 *",
		"C: EXPN dev", "S: 550 5.7.1 Access denied to you", "C: VRFY dev", "S: 252 *")
}

// TestPostAsOneself holds who signed in to their own addresses.
func TestPostAsOneself(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{stranger: true})
	s.list("dev@lists.example", nil, "bob@b.example")
	password := s.person("bob@b.example")
	begin := []string{"C: MAIL FROM:<bob@b.example>", "S: 250 *", "C: RCPT TO:<dev@lists.example>", "S: 250 *", "C: DATA", "S: 354 *"}
	script := append([]string{"S: 220 *", "C: EHLO c.example", "S: 250-*", plain("bob@b.example", password), "S: 235 *"}, begin...)
	script = append(append(script, fmt.Sprintf(post, "1"), "S: 550 5.7.1 You are signed in as somebody else*"), begin...)
	s.talk(append(script, fmt.Sprintf(strings.ReplaceAll(post, "ann@a.example", "bob@b.example"), "2"), "S: 250 *")...)
	var received string
	if err := s.pool.QueryRow(t.Context(), "SELECT received FROM post").Scan(&received); err != nil {
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
	s := newSite(t, options{})
	s.list("dev@lists.example", []string{"post_policy=anyone"}, "bob@b.example")
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(line, want string) {
		t.Helper()
		fmt.Fprint(c, strings.ReplaceAll(line, "\n", "\r\n")+"\r\n")
		if got := reply(t, r); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	reply(t, r)
	say("EHLO c.example", "250")
	say("MAIL FROM:<ann@a.example>", "250")
	say("RCPT TO:<dev@lists.example>", "250")
	s.pool.Close()
	say("RCPT TO:<dev@lists.example>", "451 4.3.0")
	say("DATA", "354")
	say(strings.TrimPrefix(fmt.Sprintf(post, "1"), "C: "), "451 4.3.0")
	say("EXPN dev", "252 2.5.2")
	say("VRFY dev", "252 2.5.2")
	say("NOOP", "250")
}
