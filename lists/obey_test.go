package lists_test

import (
	"fmt"
	"testing"

	"muster/lists"
)

// joinMail is one that asks to join, as anybody may write it in anybody's name.
func joinMail(from, list string) mail {
	return mail{from: from, to: []string{list}, text: "From: " + from + "\n\njoin\n"}
}

// deliver takes a mail from a client.
func (s *site) deliver(m mail, client string, trusted bool) {
	s.t.Helper()
	env := s.envelope(m)
	env.Client, env.Trusted = client, trusted
	out, err := s.Accept(s.t.Context(), env, m.message())
	if err != nil || out[0].Fate != lists.FateDone {
		s.t.Fatalf("%+v, %v", out, err)
	}
}

func (s *site) questions() int {
	s.t.Helper()
	n := 0
	for _, mail := range s.notices() {
		if mail.Kind == lists.NoticeJoinConfirm {
			n++
		}
	}
	return n
}

// TestJoinByMailIsLimited does not let forged mail have many strangers asked.
func TestJoinByMailIsLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil)
	for i := range 40 {
		s.deliver(joinMail(fmt.Sprintf("a%d@x.example", i), "dev-join@lists.example"), "192.0.2.7", false)
	}
	if n := s.questions(); n != 30 {
		t.Errorf("one client had %d asked", n)
	}
	for i := range 40 { // a server of ours passes on the mail of many
		s.deliver(joinMail(fmt.Sprintf("b%d@x.example", i), "dev-join@lists.example"), "192.0.2.8", true)
	}
	if n := s.questions(); n != 40 {
		t.Errorf("a trusted client had %d asked", n)
	}
	for i := range 140 {
		s.deliver(joinMail(fmt.Sprintf("c%d@x.example", i), "dev-join@lists.example"), fmt.Sprintf("198.51.100.%d", i), false)
	}
	if n := s.questions(); n != 200-30-40 {
		t.Errorf("many clients had %d asked", n)
	}
	l := s.list("other@lists.example", nil)
	s.subscribe(l, box(t, "c139@x.example"), "192.0.2.9")
	s.exec(`UPDATE rate SET until = now()`)
	s.deliver(joinMail("c139@x.example", "dev-join@lists.example"), "192.0.2.7", false)
	s.noticed("join-confirm c139@x.example", "join-confirm c139@x.example")
}

// TestUnknownCommandsAreNotQuotedToStrangers keeps answers from carrying a forger's words.
func TestUnknownCommandsAreNotQuotedToStrangers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil)
	m := mail{from: "ann@x.example", to: []string{"dev-request@lists.example"}, text: "From: ann@x.example\n\nbuy at http://spam.example\nhelp\n"}
	lines := func() (found [2]any) {
		t.Helper()
		results := s.noticed("command-answer ann@x.example")[0].Params["Results"].([]any)
		for i, r := range results {
			found[i] = r.(map[string]any)["Line"]
		}
		return found
	}
	s.wantFates(m, "done")
	if got := lines(); got != [2]any{"", "help"} {
		t.Errorf("a stranger is told %q", got)
	}
	m.by = as("ann@x.example")
	s.wantFates(m, "done")
	if got := lines(); got != [2]any{"buy at http://spam.example", "help"} {
		t.Errorf("the author is told %q", got)
	}
}
