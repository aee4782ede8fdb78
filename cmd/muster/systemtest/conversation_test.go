package systemtest

import (
	"strings"
	"testing"
)

// TestConversation types what a man page of EXPN would show, by hand, and reads every answer.
func TestConversation(t *testing.T) {
	sink := newSink(t)
	s := newSite(t, sink.addr)
	n := s.start(t.TempDir())
	s.run("", "list", "create", "c-help@lists.example", "--name", "C help", "--owner", "ann@a.example")
	s.run("", "member", "add", "c-help@lists.example", "Fred Foo <fred@doc.ic.ac.uk>", "Sam Q. Smith <sam@b.example>", "eve@c.example")

	c := dial(t, n.smtp, "HELO wombat.doc.ic.ac.uk")
	for _, step := range []struct{ say, hear string }{
		{"VRFY fred@doc.ic.ac.uk", "250 Fred Foo <fred@doc.ic.ac.uk>"},
		{"VRFY postmaster", "250 * <postmaster@lists.example>"},
		{"VRFY c-help", "250 C help <c-help@lists.example>"},
		{"EXPN c-help", "250-<eve@c.example>\n250-Fred Foo <fred@doc.ic.ac.uk>\n250 Sam Q. Smith <sam@b.example>"},
		{"EXPN c-help-owner", "250 <ann@a.example>"},
		{"EXPN nobody-here", "550 *"},
		{"EXPN fred@doc.ic.ac.uk", "550 That is a user name, not a mailing list"},
		{"MAIL From:<fred@doc.ic.ac.uk>", "250 *"},
		{"RCPT To:<c-help@lists.example>", "250 *"},
		{"RCPT To:<someone@elsewhere.example>", "550 *"},
		{"DATA", "354 *"},
		{"From: Fred Foo <fred@doc.ic.ac.uk>\r\nTo: c-help@lists.example\r\nSubject: Pointers\r\n" + tagField + ": 0\r\n\r\nWhat is one?\r\n..\r\n.", "250 *"},
		{"EXPN c-help-owner@lists.example", "250 <ann@a.example>"},
		{"QUIT", "221 *"},
	} {
		heard, err := c.cmd(step.say)
		if err != nil {
			t.Fatalf("%s: %v", step.say, err)
		}
		if heard != step.hear && !matches(step.hear, heard) {
			t.Errorf("C: %s\nS: %s\nwant %s", step.say, heard, step.hear)
		}
	}
	sink.wait(t, 3)
	for _, member := range []string{"fred@doc.ic.ac.uk", "sam@b.example", "eve@c.example"} {
		copies := sink.copies(0, member)
		if len(copies) != 1 || string(body(copies[0])) != "What is one?\r\n.\r\n" {
			t.Errorf("%s has %q", member, copies)
		}
	}
}

// matches knows a pattern with one star.
func matches(pattern, s string) bool {
	before, after, ok := strings.Cut(pattern, "*")
	return ok && strings.HasPrefix(s, before) && strings.HasSuffix(s, after) && len(s) >= len(before)+len(after)
}
