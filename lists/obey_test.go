package lists_test

import (
	"fmt"
	"slices"
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

// answer takes a mail to a list's addresses and returns what its one answer says became of it, with
// the page it names; nil where there is none.
func (s *site) answer(m mail) (outcomes []string, page string) {
	s.t.Helper()
	s.wantFates(m, "done")
	for _, n := range s.notices() {
		if n.Kind != lists.NoticeCommandAnswer {
			continue
		}
		for _, r := range n.Params["Results"].([]any) {
			outcomes = append(outcomes, r.(map[string]any)["Outcome"].(string))
		}
		page, _ = n.Params["URL"].(string)
	}
	return outcomes, page
}

// TestAnswersAreTrue asks for what is answered by no other mail.
func TestAnswersAreTrue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, policy, to, text string
		envelope               string // where it is not who From says
		want                   []string
		page                   bool
	}{
		{name: "leave without being a member", to: "dev-request", text: "leave", want: []string{"no-member"}},
		{name: "and by its own address", to: "dev-leave", want: []string{"no-member"}},
		{name: "leave for somebody else", to: "dev-request", text: "leave", envelope: "eve@e.example", want: []string{"maybe"}, page: true},
		{name: "and by its own address", to: "dev-leave", envelope: "eve@e.example"},
		{name: "join for somebody else", to: "dev-request", text: "join", envelope: "eve@e.example", want: []string{"maybe"}, page: true},
		{name: "join", to: "dev-request", text: "join", want: []string{"confirm"}, page: true},
		{name: "join a closed list", policy: "closed", to: "dev-join", want: []string{"closed"}},
		{name: "join a closed list and leave it", policy: "closed", to: "dev-request", text: "join\nleave", want: []string{"closed", "no-member"}},
		{name: "join where owners decide", policy: "moderate", to: "dev-join", want: []string{"waits"}, page: true},
		{name: "for somebody else", policy: "moderate", to: "dev-join", envelope: "eve@e.example", want: []string{"waits"}, page: true},
		{name: "what is no command", to: "dev-request", text: "please let me in\nthank you very much", want: []string{"unknown"}, page: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			policy := map[string]string{}
			if tt.policy != "" {
				policy["join_policy"] = tt.policy
			}
			s.list("dev@lists.example", policy, "owner@a.example")
			m := mail{from: "ann@x.example", to: []string{tt.to + "@lists.example"}, text: "From: ann@x.example\n\n" + tt.text + "\n"}
			if tt.envelope != "" {
				m.from = tt.envelope
			}
			got, page := s.answer(m)
			if !slices.Equal(got, tt.want) || (page != "") != tt.page {
				t.Errorf("answered %q with page %q, want %q, %v", got, page, tt.want, tt.page)
			}
		})
	}
}

// TestAnswersTellNobodyElse gives who writes in a member's or a banned person's name the answer they
// would get for anybody.
func TestAnswersTellNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"join_policy": "moderate"}, "owner@a.example")
	s.add(l, "ann@x.example")
	for _, from := range []string{"ann@x.example", "stranger@x.example"} {
		for _, text := range []string{"join", "leave"} {
			m := mail{from: "eve@e.example", to: []string{"dev-request@lists.example"}, text: "From: " + from + "\n\n" + text + "\n"}
			want := map[string]string{"join": "waits", "leave": "maybe"}[text]
			if got, _ := s.answer(m); !slices.Equal(got, []string{want}) {
				t.Errorf("%s of %s: %q, want %s", text, from, got, want)
			}
		}
	}
	m := mail{from: "ann@x.example", to: []string{"dev-request@lists.example"}, text: "From: ann@x.example\n\nleave\n", by: as("ann@x.example")}
	if got, _ := s.answer(m); !slices.Equal(got, []string{"done"}) {
		t.Errorf("who proved who they are and left is told %q", got)
	}
}
