package lists_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"muster/lists"
	"muster/smtp"
)

// The askers of design's table: its first column is trusted or has the right that expn names.
func trusted() lists.Asker { return lists.Asker{Trusted: true} }
func stranger() lists.Asker {
	return lists.Asker{Actor: lists.Anonymous("192.0.2.9")}
}
func signedIn(address string) lists.Asker { return lists.Asker{Actor: as(address), SignedIn: true} }

// expand is what EXPN says: its lines, or why there are none.
func (s *site) expand(who lists.Asker, arg string, utf8 bool) string {
	var lines []string
	err := s.Expand(s.t.Context(), who, arg, utf8, func(m smtp.Mailbox) error {
		lines = append(lines, m.String())
		return nil
	})
	return said(lines, err)
}

func (s *site) verify(who lists.Asker, arg string, utf8 bool) string {
	found, err := s.Verify(s.t.Context(), who, arg, utf8)
	var lines []string
	for _, m := range found {
		lines = append(lines, m.String())
	}
	return said(lines, err)
}

func said(lines []string, err error) string {
	var why lists.Unanswered
	switch {
	case err == nil:
		return strings.Join(lines, ", ")
	case errors.As(err, &why):
		return map[lists.Unanswered]string{
			lists.CannotSay: "252", lists.Elsewhere: "252", lists.AccessDenied: "550 5.7.1", lists.NoMembers: "550 no members", lists.NobodyHere: "550 5.1.1",
			lists.NotAList: "550 not a list", lists.Ambiguous: "550 5.1.4", lists.NeedsUTF8: "252 2.6.8", lists.Unknowable: "252 unknowable",
		}[why]
	}
	return err.Error()
}

// expnSite has a list of each sort.
func expnSite(t *testing.T) *site {
	s := newSite(t)
	dev := s.list("dev@lists.example", map[string]string{"name": "Developers"}, "owner@a.example")
	s.add(dev, "Fred Foo <Fred@doc.example>", "bob@b.example")
	s.exec("INSERT INTO member (list, key, address, domain, hidden) VALUES ($1, 'hid@h.example', 'hid@h.example', 'h.example', true)", dev.ID)
	open := s.list("open@lists.example", map[string]string{"expn": "anyone", "post_policy": "anyone"}, "owner@a.example")
	s.add(open, "x@x.example")
	s.add(s.list("own@lists.example", map[string]string{"expn": "owners"}, "owner@a.example"), "bob@b.example")
	s.add(s.list("shut@lists.example", map[string]string{"expn": "nobody"}, "owner@a.example"), "bob@b.example")
	s.list("empty@lists.example", nil, "owner@a.example")
	secret := s.list("secret@lists.example", nil, "owner@a.example")
	s.exec("INSERT INTO member (list, key, address, domain, hidden) VALUES ($1, 'hid@h.example', 'hid@h.example', 'h.example', true)", secret.ID)
	outer := s.list("outer@lists.example", nil, "owner@a.example")
	s.add(outer, "dev@lists.example", "zoe@z.example")
	intl := s.list("intl@lists.example", nil, "owner@a.example")
	s.add(intl, "a@a.example", "Jérôme <jérôme@d.example>")
	s.add(s.list("world@lists.example", map[string]string{"expn": "anyone"}, "owner@a.example"), "jérôme@d.example")
	s.list("quiet@lists.example", map[string]string{"name": "Secret plans", "advertised": "false"}, "owner@a.example")
	s.list("ajar@lists.example", map[string]string{"name": "Secret talk", "advertised": "false", "post_policy": "anyone"}, "owner@a.example")
	s.list("twin@one.example", map[string]string{"name": "First"}, "owner@a.example")
	s.list("twin@two.example", map[string]string{"name": "Second", "advertised": "false"}, "other@a.example")
	s.add(s.list("only@two.example", nil, "owner@a.example"), "q@q.example")
	return s
}

func TestExpand(t *testing.T) {
	t.Parallel()
	s := expnSite(t)
	const devOpen = "bob@b.example, Fred Foo <Fred@doc.example>"
	for _, tt := range []struct {
		name string
		who  lists.Asker
		arg  string
		want string
	}{
		{"a list, trusted: hidden members stay hidden", trusted(), "dev@lists.example", devOpen},
		{"a list, a member", signedIn("bob@b.example"), "dev@lists.example", devOpen},
		{"a list, its owner", signedIn("owner@a.example"), "dev@lists.example", "bob@b.example, Fred Foo <Fred@doc.example>, hid@h.example"},
		{"a list, no right", signedIn("eve@e.example"), "dev@lists.example", "550 5.7.1"},
		{"a list, a stranger", stranger(), "dev@lists.example", "252"},
		{"in any case", trusted(), "DEV@Lists.Example", devOpen},
		{"anyone, a stranger", stranger(), "open@lists.example", "x@x.example"},
		{"anyone, no right", signedIn("eve@e.example"), "open@lists.example", "x@x.example"},
		{"owners, a member", signedIn("bob@b.example"), "own@lists.example", "550 5.7.1"},
		{"owners, an owner", signedIn("owner@a.example"), "own@lists.example", "bob@b.example"},
		{"owners, trusted", trusted(), "own@lists.example", "bob@b.example"},
		{"nobody, trusted", trusted(), "shut@lists.example", "252"},
		{"nobody, an owner", signedIn("owner@a.example"), "shut@lists.example", "252"},
		{"nobody, a stranger", stranger(), "shut@lists.example", "252"},
		{"no members, trusted", trusted(), "empty@lists.example", "550 no members"},
		{"no members, no right", signedIn("eve@e.example"), "empty@lists.example", "550 5.7.1"},
		{"no members, a stranger", stranger(), "empty@lists.example", "252"},
		{"all hidden, trusted", trusted(), "secret@lists.example", "252"},
		{"all hidden, the owner", signedIn("owner@a.example"), "secret@lists.example", "hid@h.example"},
		{"a nested list is one line", trusted(), "outer@lists.example", "dev@lists.example, zoe@z.example"},
		{"owners of a list, trusted", trusted(), "dev-owner@lists.example", "owner@a.example"},
		{"owners of a list, no right", signedIn("eve@e.example"), "dev-owner", "550 5.7.1"},
		{"owners of a list, a stranger", stranger(), "dev-owner@lists.example", "252"},
		{"a person, trusted", trusted(), "fred@doc.example", "550 not a list"},
		{"a person, signed in", signedIn("eve@e.example"), "fred@doc.example", "252"},
		{"a person, a stranger", stranger(), "fred@doc.example", "252"},
		{"unknown, trusted", trusted(), "nobody@lists.example", "550 5.1.1"},
		{"unknown, signed in", signedIn("eve@e.example"), "nobody@lists.example", "550 5.1.1"},
		{"unknown, a stranger", stranger(), "nobody@lists.example", "252"},
		{"another domain, trusted", trusted(), "nobody@elsewhere.example", "252"},
		{"another domain, signed in", signedIn("eve@e.example"), "nobody@elsewhere.example", "252"},
		{"bare, the default domain's", trusted(), "dev", devOpen},
		{"bare, the only domain that has it", trusted(), "only", "q@q.example"},
		{"bare, in two domains", trusted(), "twin", "550 5.1.4"},
		{"bare, in two domains of which one may be seen", signedIn("eve@e.example"), "twin", "550 5.7.1"},
		{"bare, a stranger", stranger(), "dev", "252"},
		{"bare, open, a stranger", stranger(), "open", "x@x.example"},
		{"bare, unknown", trusted(), "nothing", "550 5.1.1"},
		{"no address at all", trusted(), "a b@c@", "550 5.1.1"},
		{"not ASCII and not asked so", trusted(), "intl", "252 2.6.8"},
		{"not ASCII, no right", signedIn("eve@e.example"), "intl", "550 5.7.1"},
		{"not ASCII, a stranger", stranger(), "intl", "252"},
		{"anyone, not ASCII, a stranger", stranger(), "world@lists.example", "252 2.6.8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.expand(tt.who, tt.arg, false); got != tt.want {
				t.Errorf("EXPN %s: %s, want %s", tt.arg, got, tt.want)
			}
		})
	}
	if got := s.expand(trusted(), "intl", true); got != "a@a.example, Jérôme <jérôme@d.example>" {
		t.Errorf("with SMTPUTF8: %s", got)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	s := expnSite(t)
	for _, tt := range []struct {
		name string
		who  lists.Asker
		arg  string
		want string
	}{
		{"a list, trusted", trusted(), "dev@lists.example", "Developers <dev@lists.example>"},
		{"a list, a member may post", signedIn("bob@b.example"), "dev", "Developers <dev@lists.example>"},
		{"a list, may not post", signedIn("eve@e.example"), "dev", "252"},
		{"a list, anyone may post", signedIn("eve@e.example"), "open", "open@lists.example"},
		{"a list, a stranger", stranger(), "dev", "252"},
		{"a role, trusted", trusted(), "dev-owner", "Developers owners <dev-owner@lists.example>"},
		{"a role, signed in", signedIn("eve@e.example"), "dev-request@lists.example", "Developers <dev-request@lists.example>"},
		{"a role, a stranger", stranger(), "dev-owner", "252"},
		{"a role of a list not advertised, signed in", signedIn("eve@e.example"), "quiet-owner@lists.example", "quiet-owner@lists.example"},
		{"a role of a list not advertised, its owner", signedIn("owner@a.example"), "quiet-owner", "Secret plans owners <quiet-owner@lists.example>"},
		{"a role of a list not advertised, trusted", trusted(), "quiet-request", "Secret plans <quiet-request@lists.example>"},
		{"a list not advertised, anyone may post", signedIn("eve@e.example"), "ajar@lists.example", "ajar@lists.example"},
		{"postmaster, trusted", trusted(), "postmaster", "Postmaster <postmaster@mx.lists.example>"},
		{"postmaster, a stranger", stranger(), "postmaster@lists.example", "252"},
		{"a member, trusted", trusted(), "fred@doc.example", "Fred Foo <Fred@doc.example>"},
		{"a member, an owner", signedIn("owner@a.example"), "fred@doc.example", "Fred Foo <Fred@doc.example>"},
		{"a member, another member", signedIn("bob@b.example"), "fred@doc.example", "252"},
		{"a member, a stranger", stranger(), "fred@doc.example", "252"},
		{"a hidden member, trusted", trusted(), "hid@h.example", "252"},
		{"a hidden member, an owner", signedIn("owner@a.example"), "hid@h.example", "hid@h.example"},
		{"unknown, trusted", trusted(), "nobody@lists.example", "550 5.1.1"},
		{"unknown, signed in", signedIn("eve@e.example"), "nobody@lists.example", "550 5.1.1"},
		{"unknown, a stranger", stranger(), "nobody@lists.example", "252"},
		{"another domain", trusted(), "nobody@elsewhere.example", "252"},
		{"ambiguous", trusted(), "twin", "First <twin@one.example>, Second <twin@two.example>"},
		{"ambiguous, of which one may be seen", signedIn("other@a.example"), "only", "252"},
		{"not ASCII and not asked so", trusted(), "jérôme@d.example", "252 2.6.8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.verify(tt.who, tt.arg, false); got != tt.want {
				t.Errorf("VRFY %s: %s, want %s", tt.arg, got, tt.want)
			}
		})
	}
}

// TestDefaultDomain gives a bare name to the configured domain before all others, and to the server's
// own next.
func TestDefaultDomain(t *testing.T) {
	t.Parallel()
	s := expnSite(t)
	for _, tt := range []struct {
		config lists.Config
		want   string
	}{
		{lists.Config{DefaultDomain: "Two.Example", Hostname: "one.example"}, "Second <twin@two.example>"},
		{lists.Config{Hostname: "one.example"}, "First <twin@one.example>"},
		{lists.Config{DefaultDomain: "not.served.example", Hostname: "one.example"}, "First <twin@one.example>"},
	} {
		s.Service = lists.New(s.pool, tt.config)
		if got := s.verify(trusted(), "twin", false); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.config, got, tt.want)
		}
	}
}

// TestExpandPages reads a list of several pages in the order of the keys.
func TestExpandPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("big@lists.example", nil, "owner@a.example")
	s.exec(`INSERT INTO member (list, key, address, domain)
		SELECT $1, format('m%s@d.example', lpad(n::text, 5, '0')), format('M%s@D.example', lpad(n::text, 5, '0')), 'd.example'
		FROM generate_series(1, 6000) n`, l.ID)
	n := 0
	err := s.Expand(t.Context(), trusted(), "big", false, func(m smtp.Mailbox) error {
		n++
		if want := fmt.Sprintf("M%05d@D.example", n); m.Address.String() != want {
			t.Fatalf("line %d: %s", n, m)
		}
		return nil
	})
	if err != nil || n != 6000 {
		t.Errorf("%d lines, %v", n, err)
	}
}

// TestExpandStops ends with the error of a client that went away, and asks for no further page.
func TestExpandStops(t *testing.T) {
	t.Parallel()
	s := expnSite(t)
	gone := errors.New("gone")
	if err := s.Expand(t.Context(), trusted(), "dev", false, func(smtp.Mailbox) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

// TestExpandWithoutDatabase answers neither yes nor no.
func TestExpandWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := expnSite(t)
	s.pool.Close()
	if got := s.expand(trusted(), "dev", false); got != "252 unknowable" {
		t.Errorf("EXPN: %s", got)
	}
	if got := s.verify(trusted(), "dev", false); got != "252 unknowable" {
		t.Errorf("VRFY: %s", got)
	}
}

func TestOffersExpn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	offers := func(want ...bool) {
		t.Helper()
		got := []bool{s.OffersExpn(trusted()), s.OffersExpn(signedIn("a@a.example")), s.OffersExpn(stranger())}
		if !slices.Equal(got, want) {
			t.Errorf("trusted, signed in, stranger: %v, want %v", got, want)
		}
	}
	offers(true, true, false) // before anything is known
	refresh := func() {
		t.Helper()
		if err := s.RefreshExpn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.list("shut@lists.example", map[string]string{"expn": "nobody"}, "owner@a.example")
	refresh()
	offers(false, false, false)
	s.list("dev@lists.example", nil, "owner@a.example")
	refresh()
	offers(true, true, false)
	s.list("open@lists.example", map[string]string{"expn": "anyone"}, "owner@a.example")
	refresh()
	offers(true, true, true)
}

func BenchmarkExpand(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			s := newSite(b)
			l := s.list("big@lists.example", nil, "owner@a.example")
			s.exec(`INSERT INTO member (list, key, address, name, domain)
				SELECT $1, format('m%s@d.example', n), format('M%s@D.example', n), format('Member Number %s', n), 'd.example'
				FROM generate_series(1, $2::int) n`, l.ID, n)
			s.exec("VACUUM ANALYZE member")
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Expand(b.Context(), trusted(), "big", false, func(smtp.Mailbox) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "members/s")
		})
	}
}
