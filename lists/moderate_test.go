package lists_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"muster/lists"
	"muster/smtp"
)

// replyTo is an answer to a mail, as a person writes it.
func replyTo(n notice, from, text string) mail {
	to, _ := n.Params["Reply"].(string)
	return mail{from: from, to: []string{to}, text: "From: " + from + "\nSubject: Re: accept discard trust\n\n" + text + "\n"}
}

// askedMods has a list with two moderators whose posts are held, and a post that is, with the mails about it.
func askedMods(t *testing.T, settings map[string]string) (*site, lists.List, uuid.UUID, map[string]notice) {
	t.Helper()
	s := newSite(t)
	if settings == nil {
		settings = map[string]string{}
	}
	settings["post_policy"] = "moderators"
	l := s.list("dev@lists.example", settings, "olga@a.example")
	if err := s.SetRole(t.Context(), lists.CLI(), l.ID, addr(t, "mia@a.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	s.add(l, "ann@a.example")
	id := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "held")[0].Post
	mails := map[string]notice{}
	for _, n := range s.noticed("held olga@a.example", "held mia@a.example") {
		mails[n.Address] = n
	}
	return s, l, id, mails
}

func (s *site) state(id uuid.UUID) string {
	s.t.Helper()
	return one[string](s, `SELECT state FROM post WHERE id = $1`, id)
}

// outcome is what a moderator is told of their answer.
func (s *site) outcome(who string, others ...string) notice {
	s.t.Helper()
	for _, n := range s.noticed(append(others, "moderated "+who)...) {
		if n.Kind == "moderated" {
			return n
		}
	}
	return notice{}
}

func TestModerateByMail(t *testing.T) {
	t.Parallel()
	s, _, id, mails := askedMods(t, nil)
	if mails["olga@a.example"].Params["Reply"] == mails["mia@a.example"].Params["Reply"] {
		t.Fatal("two moderators share a token")
	}
	mia := mails["mia@a.example"]

	// Neither a program nor a mail that only quotes decides.
	auto := replyTo(mia, "mia@a.example", "accept")
	auto.text = "Auto-Submitted: auto-replied\n" + auto.text
	s.wantFates(auto, "post.automatic")
	auto = replyTo(mia, "mia@a.example", "accept")
	auto.text = "Precedence: junk\n" + auto.text
	s.wantFates(auto, "post.automatic")
	s.noticed()
	auto = replyTo(mia, "", "accept")
	auto.text = "From: mia@a.example\n\naccept\n"
	s.wantFates(auto, "post.automatic")
	for _, text := range []string{"I am away until Monday.\n\n> accept", "Accept my apologies", "> accept", "Subject: accept\n\naccept"} {
		s.wantFates(replyTo(mia, "mia@a.example", text), "done")
		if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "unread" || n.Params["Reply"] != mia.Params["Reply"] {
			t.Errorf("%q: %v", text, n.Params)
		}
	}
	if s.state(id) != "held" {
		t.Fatal("decided by nobody")
	}

	s.wantFates(replyTo(mia, "somebody@else.example", "Accept!\n\nOn Monday, dev wrote:\n> discard"), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "released" || n.Params["About"] != "Hello" {
		t.Errorf("told %v", n.Params)
	}
	if s.state(id) != "accepted" {
		t.Fatal("not accepted")
	}
	actor, action, _ := s.audited()
	if actor != "mia@a.example" || action != "post.release" {
		t.Errorf("audited %s by %s", action, actor)
	}
	// The second is told by whom, and so is who answers twice.
	s.wantFates(replyTo(mails["olga@a.example"], "olga@a.example", "discard"), "done")
	if n := s.outcome("olga@a.example"); n.Params["Outcome"] != "decided" || n.Params["Actor"] != "mia@a.example" {
		t.Errorf("told %v", n.Params)
	}
	s.wantFates(replyTo(mia, "mia@a.example", "discard"), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "decided" {
		t.Errorf("told %v", n.Params)
	}
	if s.state(id) != "accepted" {
		t.Fatal("decided twice")
	}
}

func TestModerateByMailInMIME(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"quoted-printable": "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=64iscard\n\n> accept\n",
		"base64":           "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nZGlzY2FyZA0K\n",
		"html": "Content-Type: text/html; charset=utf-8\n\n<html><body><div>Discard</div><div>On Monday dev wrote:" +
			"<blockquote>accept</blockquote></div></body></html>\n",
		"alternative": "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\ndiscard\n--b\n" +
			"Content-Type: text/html\n\n<p>discard</p>\n--b--\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, id, mails := askedMods(t, nil)
			m := replyTo(mails["mia@a.example"], "mia@a.example", "")
			m.text = "From: mia@a.example\nMIME-Version: 1.0\n" + text
			s.wantFates(m, "done")
			if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "discarded" || s.state(id) != "discarded" {
				t.Errorf("%v, %s", n.Params, s.state(id))
			}
		})
	}
}

func TestRejectByMail(t *testing.T) {
	t.Parallel()
	s, l, id, mails := askedMods(t, nil)
	if err := s.SetCanned(t.Context(), as("mia@a.example"), l.ID, lists.Canned{Name: "Off topic", Text: "Please write to\nchat@lists.example."}); err != nil {
		t.Fatal(err)
	}
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "reject Off Topic\n-- \nMia"), "done")
	found := s.noticed("moderated mia@a.example", "post-rejected ann@a.example")
	for _, n := range found {
		if n.Kind == "post-rejected" && n.Params["Reason"] != "Please write to\nchat@lists.example." {
			t.Errorf("the author is told %v", n.Params)
		}
	}
	if s.state(id) != "rejected" {
		t.Error(s.state(id))
	}
}

func TestTrustByMail(t *testing.T) {
	t.Parallel()
	s, l, _, mails := askedMods(t, nil)
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "accept and trust"), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "trusted" {
		t.Errorf("told %v", n.Params)
	}
	second := s.wantFates(post("2", "ann@a.example", "dev@lists.example"), "accepted")[0].Post
	s.noticed()
	if got := one[string](s, `SELECT reason FROM post WHERE id = $1`, second); got != "trusted" {
		t.Errorf("accepted because of %s", got)
	}
	m := post("3", "ann@a.example", "dev@lists.example")
	m.from = "other@a.example" // the standing is asked for apart then
	s.wantFates(m, "accepted")
	found, err := s.Trusted(t.Context(), as("mia@a.example"), l.ID, "", 0)
	if err != nil || len(found) != 1 || found[0].Address != "ann@a.example" || found[0].By != "mia@a.example" {
		t.Errorf("%v, %v", found, err)
	}
	if err := s.Distrust(t.Context(), as("mia@a.example"), l.ID, addr(t, "ann@a.example")); err != nil {
		t.Fatal(err)
	}
	s.wantFates(post("4", "ann@a.example", "dev@lists.example"), "held")
	wantKind(t, s.Distrust(t.Context(), as("mia@a.example"), l.ID, addr(t, "ann@a.example")), lists.NotFound)
	wantKind(t, s.Trust(t.Context(), as("ann@a.example"), l.ID, addr(t, "ann@a.example")), lists.Denied)
}

// Two moderators answer at once: one decides, the other is told by whom.
func TestModerateByMailRaced(t *testing.T) {
	t.Parallel()
	s, _, id, mails := askedMods(t, nil)
	var wg sync.WaitGroup
	for _, who := range []string{"olga@a.example", "mia@a.example", "olga@a.example", "mia@a.example"} {
		m := replyTo(mails[who], who, "accept")
		env := s.envelope(m)
		wg.Go(func() {
			if _, err := s.Accept(t.Context(), env, m.message()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	outcomes := map[string]int{}
	for _, n := range s.notices() {
		outcomes[n.Params["Outcome"].(string)]++
	}
	if outcomes["released"] != 1 || outcomes["decided"] != 3 {
		t.Errorf("told %v", outcomes)
	}
	if n := one[int](s, `SELECT count(*) FROM decision WHERE post = $1`, id); n != 1 {
		t.Errorf("%d decisions", n)
	}
}

// A token decides on its post, for its moderator as long as they are one, at its list.
func TestModerateByMailIsBound(t *testing.T) {
	t.Parallel()
	s, l, id, mails := askedMods(t, nil)
	s.list("other@lists.example", nil, "olga@a.example")
	m := replyTo(mails["mia@a.example"], "mia@a.example", "accept")
	m.to[0] = strings.Replace(m.to[0], "dev-", "other-", 1)
	s.wantFates(m, "done")
	s.noticed("command-answer mia@a.example") // it is no token there
	if err := s.RemoveRole(t.Context(), lists.CLI(), l.ID, addr(t, "mia@a.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "accept"), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "no-right" || s.state(id) != "held" {
		t.Errorf("told %v, %s", n.Params, s.state(id))
	}
	token := strings.TrimPrefix(strings.Split(mails["olga@a.example"].Params["Reply"].(string), "@")[0], "dev-confirm+")
	if _, err := s.Confirm(t.Context(), token, ""); lists.KindOf(err) != lists.Expired {
		t.Errorf("a page decides without a sign-in: %v", err)
	}
	if _, err := s.Pending(t.Context(), token, ""); lists.KindOf(err) != lists.Expired {
		t.Errorf("a page shows what the token is for: %v", err)
	}
	s.exec(`UPDATE token SET expires = now() - interval '1 s' WHERE purpose = 'moderate'`)
	s.wantFates(replyTo(mails["olga@a.example"], "olga@a.example", "accept"), "done")
	if s.state(id) != "held" {
		t.Error("an expired token decided")
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s, _, id, mails := askedMods(t, nil)
	ctx, mia, olga := t.Context(), as("mia@a.example"), as("olga@a.example")
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "claim"), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "claimed" {
		t.Errorf("told %v", n.Params)
	}
	p, _, err := s.PostByID(ctx, olga, id)
	if err != nil || p.ClaimedBy != "mia@a.example" || p.Claimed == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = s.ReleasePost(ctx, olga, id)
	wantKind(t, err, lists.Conflict)
	if !strings.Contains(err.Error(), "mia@a.example") {
		t.Errorf("who claimed it is not said: %v", err)
	}
	_, err = s.ClaimPost(ctx, olga, id)
	wantKind(t, err, lists.Conflict)
	s.wantFates(replyTo(mails["olga@a.example"], "olga@a.example", "accept"), "done")
	if n := s.outcome("olga@a.example"); n.Params["Outcome"] != "taken" || n.Params["Actor"] != "mia@a.example" {
		t.Errorf("told %v", n.Params)
	}
	// An owner gives it free for anybody; a moderator only their own.
	if _, err := s.UnclaimPost(ctx, olga, id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClaimPost(ctx, olga, id); err != nil {
		t.Fatal(err)
	}
	_, err = s.UnclaimPost(ctx, mia, id)
	wantKind(t, err, lists.Conflict)
	// It ends by itself.
	s.exec(`UPDATE post SET claimed = now() - interval '61 minutes'`)
	if p, err := s.ClaimPost(ctx, mia, id); err != nil || p.ClaimedBy != "mia@a.example" {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err := s.ReleasePost(ctx, mia, id); err != nil || p.ClaimedBy != "" {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = s.ClaimPost(ctx, mia, id)
	wantKind(t, err, lists.Conflict)
}

func TestAuthorIsToldThatAPostIsHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"post_policy": "moderators", "moderator_notices": "none"}, "olga@a.example")
	signedIn := func(id string) mail {
		m := post(id, "ann@a.example", "dev@lists.example")
		m.by = as("ann@a.example")
		return m
	}
	s.wantFates(signedIn("1"), "held")
	if n := s.noticed("post-held ann@a.example")[0]; n.Params["Reason"] != "moderation" || n.Params["MessageID"] != "<1@a.example>" || n.Params["Days"] != 30.0 {
		t.Errorf("told %v", n.Params)
	}
	s.wantFates(signedIn("1"), "duplicate")
	s.noticed()
	robot := signedIn("2")
	robot.text = "Precedence: bulk\n" + robot.text
	s.wantFates(robot, "held")
	s.wantFates(post("3", "ann@a.example", "dev@lists.example"), "held") // From proves nothing
	s.noticed()
	for n := range 8 {
		s.wantFates(signedIn(fmt.Sprint("more", n)), "held")
	}
	if n := len(s.notices()); n != 4 {
		t.Errorf("%d more notices in a day", n)
	}
	if _, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "tell_held", Value: "false"}}); err != nil {
		t.Fatal(err)
	}
	s.exec(`DELETE FROM rate`)
	s.wantFates(signedIn("last"), "held")
	s.noticed()
}

func TestExpireHeld(t *testing.T) {
	t.Parallel()
	s, l, old, mails := askedMods(t, map[string]string{"max_hold_days": "2"})
	young := s.wantFates(post("2", "ann@a.example", "dev@lists.example"), "held")[0].Post
	s.notices()
	s.exec(`UPDATE post SET arrived = now() - interval '49 hours' WHERE id = $1`, old)
	s.exec(`UPDATE post SET arrived = now() - interval '47 hours' WHERE id = $1`, young)
	if _, err := s.ClaimPost(t.Context(), as("mia@a.example"), old); err != nil {
		t.Fatal(err)
	}
	if n, err := s.ExpireHeld(t.Context()); n != 0 || err != nil || s.state(old) != "held" { // somebody looks at it
		t.Fatalf("%d expired, %v", n, err)
	}
	s.exec(`UPDATE post SET claimed = now() - interval '61 minutes'`)
	if n, err := s.ExpireHeld(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d expired, %v", n, err)
	}
	if s.state(old) != "discarded" || s.state(young) != "held" {
		t.Errorf("%s, %s", s.state(old), s.state(young))
	}
	if n := s.noticed("post-expired ann@a.example")[0]; n.Params["Days"] != 2.0 || n.Params["Reason"] != "moderation" { // a member
		t.Errorf("told %v", n.Params)
	}
	_, decisions, err := s.PostByID(t.Context(), lists.CLI(), old)
	if err != nil || len(decisions) != 2 || decisions[1].Actor != lists.ActorClock || decisions[1].Reason != lists.ReasonExpired {
		t.Errorf("%+v, %v", decisions, err)
	}
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "accept"), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "decided" || n.Params["Actor"] != lists.ActorClock {
		t.Errorf("told %v", n.Params)
	}
	if _, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "max_hold_days", Value: "never"}}); err != nil {
		t.Fatal(err)
	}
	s.exec(`UPDATE post SET arrived = now() - interval '4900 hours'`)
	if n, err := s.ExpireHeld(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d expired, %v", n, err)
	}
}

func TestTellWaiting(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"post_policy": "moderators", "join_policy": "moderate", "moderator_notices": "daily"}, "olga@a.example")
	s.list("none@lists.example", map[string]string{"moderator_notices": "daily"}, "olga@a.example")
	atOnce := s.list("once@lists.example", map[string]string{"post_policy": "moderators"}, "olga@a.example")
	if err := s.SetRole(t.Context(), lists.CLI(), l.ID, addr(t, "mia@a.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	if n, err := s.TellWaiting(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d lists, %v", n, err)
	}
	id := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "held")[0].Post
	s.wantFates(post("1", "ann@a.example", "once@lists.example"), "held")
	s.noticed("held olga@a.example")
	s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	s.noticed() // at the end of the day
	if n, err := s.TellWaiting(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d lists, %v", n, err)
	}
	mails := s.noticed("waiting olga@a.example", "waiting mia@a.example")
	posts := mails[0].Params["Held"].([]any)
	if len(posts) != 1 || mails[0].Params["Requests"] != 1.0 || mails[0].Params["Others"] != 0.0 {
		t.Fatalf("told %v", mails[0].Params)
	}
	if n, err := s.TellWaiting(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d lists told twice, %v", n, err)
	}
	s.noticed()
	row := posts[0].(map[string]any)
	s.wantFates(replyTo(notice{Params: row}, "olga@a.example", "accept"), "done")
	if s.state(id) != "accepted" {
		t.Errorf("the daily mail cannot be answered: %s", s.state(id))
	}
	s.exec(`DELETE FROM rate`)
	_ = atOnce
	if n, err := s.TellWaiting(t.Context()); n != 1 || err != nil { // the request still waits
		t.Fatalf("%d lists, %v", n, err)
	}
}

func TestDecideJoinsByMail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"join_policy": "moderate"}, "olga@a.example")
	if err := s.SetRole(t.Context(), lists.CLI(), l.ID, addr(t, "mia@a.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	ask := func(who string) map[string]notice {
		t.Helper()
		s.subscribe(l, box(t, who), "192.0.2.1")
		mails := map[string]notice{}
		for _, n := range s.noticed("join-request olga@a.example", "join-request mia@a.example") {
			mails[n.Address] = n
		}
		return mails
	}
	mails := ask("bob@x.example")
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "I am away. Accept."), "done")
	if n := s.outcome("mia@a.example"); n.Params["Outcome"] != "unread" || s.isMember(l, "bob@x.example") {
		t.Errorf("told %v", n.Params)
	}
	s.wantFates(replyTo(mails["mia@a.example"], "mia@a.example", "accept"), "done")
	if n := s.outcome("mia@a.example", "welcome bob@x.example"); n.Params["Outcome"] != "admitted" || !s.isMember(l, "bob@x.example") {
		t.Errorf("told %v", n.Params)
	}
	s.wantFates(replyTo(mails["olga@a.example"], "olga@a.example", "reject"), "done")
	if n := s.outcome("olga@a.example"); n.Params["Outcome"] != "decided" || !s.isMember(l, "bob@x.example") {
		t.Errorf("told %v", n.Params)
	}
	mails = ask("eve@x.example")
	s.wantFates(replyTo(mails["olga@a.example"], "olga@a.example", "reject\n\nWe are full."), "done")
	for _, n := range s.noticed("moderated olga@a.example", "join-refused eve@x.example") {
		if n.Kind == "join-refused" && n.Params["Reason"] != "We are full." {
			t.Errorf("told %v", n.Params)
		}
	}
	if s.isMember(l, "eve@x.example") {
		t.Error("turned down and a member")
	}
}

func TestHoldPost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "olga@a.example")
	id := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "accepted")[0].Post
	p, err := s.HoldPost(t.Context(), as("olga@a.example"), id, "Let me look")
	if err != nil || p.State != lists.PostHeld || p.Accepted != nil || p.HeldFor != "Let me look" || time.Since(p.Since) > time.Hour {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, _, err := s.PostByID(t.Context(), lists.CLI(), id); err != nil || p.HeldFor != "Let me look" {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = s.HoldPost(t.Context(), as("olga@a.example"), id, "")
	wantKind(t, err, lists.Conflict)
	_, err = s.HoldPost(t.Context(), as("eve@a.example"), id, "")
	wantKind(t, err, lists.NotFound)
	if p, err := s.ReleasePost(t.Context(), as("olga@a.example"), id); err != nil || p.Accepted == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	s.exec(`UPDATE post SET planned = now()`)
	_, err = s.HoldPost(t.Context(), as("olga@a.example"), id, "")
	wantKind(t, err, lists.Conflict)
}

func TestCannedAnswers(t *testing.T) {
	t.Parallel()
	s, l, _, _ := askedMods(t, nil)
	mia := as("mia@a.example")
	for _, bad := range []lists.Canned{{Name: "", Text: "x"}, {Name: "x"}, {Name: strings.Repeat("x", 61), Text: "x"}, {Name: "x", Text: strings.Repeat("x", 5000)}} {
		wantKind(t, s.SetCanned(t.Context(), mia, l.ID, bad), lists.Invalid)
	}
	wantKind(t, s.SetCanned(t.Context(), as("eve@a.example"), l.ID, lists.Canned{Name: "x", Text: "x"}), lists.Denied)
	for _, text := range []string{"first", "second"} {
		if err := s.SetCanned(t.Context(), mia, l.ID, lists.Canned{Name: " Off  topic", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := s.CannedText(t.Context(), mia, l.ID, "OFF topic"); err != nil || text != "second" {
		t.Errorf("%q, %v", text, err)
	}
	if err := s.RemoveCanned(t.Context(), mia, l.ID, "off topic"); err != nil {
		t.Fatal(err)
	}
	_, err := s.CannedText(t.Context(), mia, l.ID, "off topic")
	wantKind(t, err, lists.NotFound)
	for n := range 100 {
		if err := s.SetCanned(t.Context(), mia, l.ID, lists.Canned{Name: fmt.Sprint(n), Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, s.SetCanned(t.Context(), mia, l.ID, lists.Canned{Name: "one more", Text: "x"}), lists.Limited)
	if err := s.SetCanned(t.Context(), mia, l.ID, lists.Canned{Name: "99", Text: "anew"}); err != nil {
		t.Error(err)
	}
}

const withAttachment = `From: ann@a.example
Message-ID: <att@a.example>
Subject: Hello
Content-Type: multipart/mixed; boundary=b

--b

Text.
--b
Content-Type: application/x-msdownload; name=evil.exe

MZ
--b--
`

func TestEditPost(t *testing.T) {
	t.Parallel()
	s, _, _, _ := askedMods(t, nil)
	ctx, mia := t.Context(), as("mia@a.example")
	m := post("", "ann@a.example", "dev@lists.example")
	m.text = withAttachment
	id := s.wantFates(m, "held")[0].Post
	p, _, err := s.PostByID(ctx, mia, id)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.PostParts(ctx, mia, p)
	if err != nil || len(parts) != 1 || parts[0].Name != "evil.exe" {
		t.Fatalf("%v, %v", parts, err)
	}
	subject, empty := " A better\r\nsubject ", " "
	for _, bad := range []lists.PostEdit{{Drop: []int{2}}, {Drop: []int{0}}, {Subject: &empty}} {
		_, err := s.EditPost(ctx, mia, id, bad)
		wantKind(t, err, lists.Invalid)
	}
	for range 2 { // the second time changes nothing
		if p, err = s.EditPost(ctx, mia, id, lists.PostEdit{Subject: &subject, Drop: []int{1}}); err != nil {
			t.Fatal(err)
		}
	}
	if p.Subject != "A better subject" || len(p.Edits) != 2 || !p.Edits.Dropped(parts[0]) {
		t.Errorf("%+v", p)
	}
	if got := one[string](s, `SELECT convert_from(bytes, 'UTF8') FROM post_raw WHERE post = $1`, id); got != strings.ReplaceAll(withAttachment, "\n", "\r\n") {
		t.Error("the message itself was changed")
	}
	_, err = s.EditPost(ctx, as("ann@a.example"), id, lists.PostEdit{Subject: &subject})
	wantKind(t, err, lists.NotFound)
	if _, err := s.ReleasePost(ctx, mia, id); err != nil {
		t.Fatal(err)
	}
	_, decisions, err := s.PostByID(ctx, mia, id)
	if err != nil || len(decisions) != 4 || decisions[1].Action != lists.ActionEdit || !strings.Contains(decisions[2].Reason, "evil.exe") {
		t.Errorf("%+v, %v", decisions, err)
	}
	other := "late"
	_, err = s.EditPost(ctx, mia, id, lists.PostEdit{Subject: &other})
	wantKind(t, err, lists.Conflict)
}

func TestForwardPost(t *testing.T) {
	t.Parallel()
	s, _, id, _ := askedMods(t, nil)
	ctx, mia := t.Context(), as("mia@a.example")
	if _, err := s.ForwardPost(ctx, mia, id, addr(t, "expert@x.example")); err != nil {
		t.Fatal(err)
	}
	if n := s.noticed("post-forwarded expert@x.example")[0]; n.Params["Post"] != id.String() || n.Params["By"] != "mia@a.example" {
		t.Errorf("%v", n.Params)
	}
	_, err := s.ForwardPost(ctx, mia, id, addr(t, "dev@lists.example"))
	wantKind(t, err, lists.Invalid)
	_, err = s.ForwardPost(ctx, as("eve@x.example"), id, addr(t, "expert@x.example"))
	wantKind(t, err, lists.NotFound)
	limited := 0
	for range 60 {
		if _, err := s.ForwardPost(ctx, mia, id, smtp.Address{Local: "expert", Domain: "x.example"}); lists.KindOf(err) == lists.Limited {
			limited++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if limited != 11 {
		t.Errorf("%d of 61 put off", limited)
	}
	if _, err := s.DiscardPost(ctx, mia, id); err != nil {
		t.Fatal(err)
	}
	_, err = s.ReleasePost(ctx, mia, id)
	if lists.KindOf(err) != lists.Conflict || !strings.Contains(err.Error(), "discarded") {
		t.Error(err)
	}
}
