package lists_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"muster/lists"
)

func confirmSite(t *testing.T, settings map[string]string) (*site, lists.List) {
	t.Helper()
	s := newSite(t)
	settings["confirm_unauthenticated"] = "true"
	l := s.list("dev@lists.example", settings, "olga@a.example")
	s.add(l, "ann@a.example")
	return s, l
}

func TestConfirmAPost(t *testing.T) {
	t.Parallel()
	s, _ := confirmSite(t, map[string]string{})
	m := post("1", "ann@a.example", "dev@lists.example")
	m.text = strings.Replace(m.text, "Hello", "Win at http://spam.example/x or mail me@spam.example [now]", 1)
	id := s.wantFates(m, "held")[0].Post
	asked := s.noticed("post-confirm ann@a.example")[0]
	if raw, _ := json.Marshal(asked.Params); strings.Contains(string(raw), "spam.example") || !strings.Contains(string(raw), "Win at http spam example") {
		t.Errorf("the mail carries %s", raw)
	}
	if s.state(id) != "unconfirmed" {
		t.Fatal(s.state(id))
	}
	s.wantFates(m, "duplicate")
	s.noticed()

	auto := replyTo(asked, "ann@a.example", "yes")
	auto.text = "Auto-Submitted: auto-replied\n" + auto.text
	s.wantFates(auto, "post.automatic")
	s.wantFates(replyTo(asked, "ann@a.example", "I am away until Monday.\n> yes"), "done")
	s.noticed("command-answer ann@a.example")
	if s.state(id) != "unconfirmed" {
		t.Fatal("an answer of a program let it go")
	}
	s.wantFates(replyTo(asked, "ann@a.example", "Yes.\n> Is it yours?"), "done")
	s.noticed()
	if s.state(id) != "accepted" {
		t.Fatal(s.state(id))
	}
	_, decisions, err := s.PostByID(t.Context(), lists.CLI(), id)
	if err != nil || len(decisions) != 2 || decisions[0].Action != "confirm" || decisions[1].Action != "confirm" || decisions[1].Actor != "ann@a.example" {
		t.Errorf("%+v, %v", decisions, err)
	}
	if trace := decisions[0].Trace; trace[len(trace)-1].Rule != "confirm" || trace[len(trace)-1].Answer != "missing" {
		t.Errorf("%+v", trace)
	}
	s.wantFates(replyTo(asked, "ann@a.example", "yes"), "done")
	if n := s.noticed("command-answer ann@a.example")[0]; !strings.Contains(fmt.Sprint(n.Params), "before") {
		t.Errorf("told %v", n.Params)
	}
}

// What changed while the author was asked counts: a list that was closed meanwhile, who is no member any more.
func TestConfirmedByTheRulesOfNow(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site, l lists.List) error{
		"closed": func(s *site, l lists.List) error {
			_, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "post_policy", Value: "moderators"}})
			return err
		},
		"emergency": func(s *site, l lists.List) error {
			_, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "emergency", Value: "true"}})
			return err
		},
		"held for them": func(s *site, l lists.List) error {
			_, err := s.SetMember(t.Context(), lists.CLI(), l.ID, addr(t, "ann@a.example"), []lists.Change{{Key: "moderation", Value: "hold"}})
			return err
		},
		"gone": func(s *site, l lists.List) error {
			return s.RemoveMember(t.Context(), lists.CLI(), l.ID, addr(t, "ann@a.example"), false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, l := confirmSite(t, map[string]string{})
			id := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "held")[0].Post
			asked := s.noticed("post-confirm ann@a.example")[0]
			if err := change(s, l); err != nil {
				t.Fatal(err)
			}
			s.wantFates(replyTo(asked, "ann@a.example", "yes"), "done")
			if s.state(id) != "held" {
				t.Errorf("it is %s", s.state(id))
			}
		})
	}
}

func TestConfirmAPostOnThePage(t *testing.T) {
	t.Parallel()
	s, l := confirmSite(t, map[string]string{"post_policy": "moderators"})
	id := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "held")[0].Post
	token := tokenOf(t, s.noticed("post-confirm ann@a.example")[0]) // moderators hear of it when it is confirmed
	for range 2 {                                                   // a scanner fetches the link
		if p, err := s.Pending(t.Context(), token, ""); err != nil || p.Purpose != lists.PurposePost || p.List.ID != l.ID || p.Done {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if s.state(id) != "unconfirmed" {
		t.Fatal("showing the question answered it")
	}
	c, err := s.Confirm(t.Context(), token, "192.0.2.9")
	if err != nil || !c.Waits || c.Before || s.state(id) != "held" {
		t.Fatalf("%+v, %v, %s", c, err, s.state(id))
	}
	for _, n := range s.noticed("held olga@a.example", "post-held ann@a.example") {
		if n.Params["Reason"] != "moderation" {
			t.Errorf("told %v", n.Params)
		}
	}
	if p, _, err := s.PostByID(t.Context(), lists.CLI(), id); err != nil || p.HeldFor != "moderation" || !p.Authenticated {
		t.Errorf("%+v, %v", p, err)
	}
}

// Who is known is not asked, nor is who may not post, nor a program; and nobody more than a few times.
func TestWhoIsAskedToConfirm(t *testing.T) {
	t.Parallel()
	s, _ := confirmSite(t, map[string]string{})
	m := post("1", "ann@a.example", "dev@lists.example")
	m.by = as("ann@a.example")
	s.wantFates(m, "accepted")
	s.wantFates(post("2", "eve@e.example", "dev@lists.example"), "post.not-member")
	s.noticed()
	robot := post("3", "ann@a.example", "dev@lists.example")
	robot.text = "Precedence: bulk\n" + robot.text
	s.wantFates(robot, "held")
	s.noticed("held olga@a.example")
	for n := range 7 {
		s.wantFates(post(fmt.Sprint("more", n), "ann@a.example", "dev@lists.example"), "held")
	}
	kinds := map[string]int{}
	for _, n := range s.notices() {
		kinds[n.Kind]++
	}
	if kinds["post-confirm"] != 5 || kinds["held"] != 2 {
		t.Errorf("mailed %v", kinds)
	}
	if got := one[string](s, `SELECT string_agg(state || n, ' ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM post GROUP BY state) p`); got != "accepted1 held3 unconfirmed5" {
		t.Errorf("kept %s", got)
	}
	// What nobody answers to is discarded, without a word.
	s.exec(`UPDATE post SET arrived = now() - interval '73 hours'`)
	if n, err := s.ExpireHeld(t.Context()); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	s.noticed()
	// A moderator can decide meanwhile.
	s.exec(`DELETE FROM rate`)
	id := s.wantFates(post("last", "ann@a.example", "dev@lists.example"), "held")[0].Post
	token := tokenOf(t, s.noticed("post-confirm ann@a.example")[0])
	if _, err := s.DiscardPost(t.Context(), as("olga@a.example"), id); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Confirm(t.Context(), token, ""); err != nil || !c.Before || s.state(id) != "discarded" {
		t.Errorf("%+v, %v, %s", c, err, s.state(id))
	}
}
