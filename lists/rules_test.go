package lists_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/lists"
	"muster/lists/verdict"
)

// letterOf is a mail to dev with more in its header, and a text.
func letterOf(id, from, header, text string) mail {
	return mail{from: from, to: []string{"dev@lists.example"}, text: fmt.Sprintf("From: %s\nTo: dev@lists.example\nMessage-ID: <%s@a.example>\n%s\n%s", from, id, header, text)}
}

// wantRuled fails unless a mail has the fate, and for what was kept the reason.
func (s *site) wantRuled(m mail, want string) lists.Outcome {
	s.t.Helper()
	out := s.accept(m)[0]
	got := fates([]lists.Outcome{out})
	if out.Refusal == nil {
		got += one[string](s, `SELECT ' by ' || reason FROM post WHERE id = $1`, out.Post)
	}
	if got != want {
		s.t.Fatalf("%s, want %s; %s", got, want, strings.ReplaceAll(m.text[:min(len(m.text), 300)], "\n", "|"))
	}
	return out
}

func (s *site) set(l lists.List, pairs ...string) {
	s.t.Helper()
	var changes []lists.Change
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		changes = append(changes, lists.Change{Key: key, Value: value})
	}
	if _, err := s.SetList(s.t.Context(), lists.CLI(), l.ID, changes); err != nil {
		s.t.Fatal(err)
	}
}

func devSite(t *testing.T) (*site, lists.List) {
	t.Helper()
	s := newSite(t)
	l := s.list("dev@lists.example", nil, "owner@a.example")
	s.add(l, "ann@a.example")
	return s, l
}

func TestBansKeepOut(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	s.set(l, "post_policy=anyone")
	ban := func(list int64, pattern, action string) {
		t.Helper()
		if _, err := s.AddBan(t.Context(), lists.CLI(), lists.Ban{ListID: list, Pattern: pattern, Action: action}); err != nil {
			t.Fatal(err)
		}
	}
	s.wantRuled(letterOf("1", "x@spam.example", "", ""), "accepted by anyone")
	ban(l.ID, "@*.spam.example", "reject")
	s.wantRuled(letterOf("2", "x@spam.example", "", ""), "accepted by anyone")
	s.wantRuled(letterOf("3", "x@a.spam.example", "", ""), "post.ban")
	ban(0, "@spam.example", "discard")
	out := s.wantRuled(letterOf("4", "x@spam.example", "", ""), "discarded by ban")
	if got := one[string](s, `SELECT state || ' ' || ruled || ' ' || (accepted IS NULL) FROM post WHERE id = $1`, out.Post); got != "discarded discard true" {
		t.Errorf("kept as %s", got)
	}
	ban(l.ID, "@spam.example", "hold") // the list's own counts first
	s.wantRuled(letterOf("4", "x@spam.example", "", ""), "held by ban")
	ban(l.ID, `^bot\d+@`, "reject")
	s.wantRuled(letterOf("5", "bot7@b.example", "", ""), "post.ban")
	m := letterOf("6", "eve@b.example", "", "")
	m.from = "bot8@c.example" // the envelope's sender counts too
	s.wantRuled(m, "post.ban")
	if err := s.Subscribe(t.Context(), lists.Subscription{List: l.ID, Mailbox: box(t, "bot9@b.example"), How: lists.ConsentWeb}); err != nil {
		t.Fatal(err)
	}
	if n := one[int](s, `SELECT count(*) FROM token WHERE purpose = 'join'`) + one[int](s, `SELECT count(*) FROM notice WHERE kind = 'join-confirm'`); n != 0 {
		t.Error("who is banned was asked to confirm")
	}
	for _, pattern := range []string{`^bot\d+@`, "@SPAM.example", "@*.spam.example"} {
		if err := s.RemoveBan(t.Context(), lists.CLI(), l.ID, pattern); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, s.RemoveBan(t.Context(), lists.CLI(), l.ID, "@spam.example"), lists.NotFound)
	s.wantRuled(letterOf("7", "bot7@b.example", "", ""), "accepted by anyone")
	if got := one[string](s, `SELECT rules::text FROM list`); got != "{}" {
		t.Errorf("the list's rules are %s after its last ban", got)
	}
}

func TestBansAreTheOwners(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	b := lists.Ban{ListID: l.ID, Pattern: "eve@evil.example", Action: "reject", Note: "sells watches"}
	_, err := s.AddBan(t.Context(), as("ann@a.example"), b)
	wantKind(t, err, lists.Denied)
	if b, err = s.AddBan(t.Context(), as("owner@a.example"), b); err != nil || b.Actor != "owner@a.example" {
		t.Fatalf("%+v, %v", b, err)
	}
	if _, action, params := s.audited(); action != "ban.add" || params["pattern"] != "eve@evil.example" {
		t.Errorf("audited %s %v", action, params)
	}
	_, err = s.Bans(t.Context(), as("ann@a.example"), l.ID, "")
	wantKind(t, err, lists.Denied)
	page, err := s.Bans(t.Context(), as("owner@a.example"), l.ID, "")
	if err != nil || len(page.Bans) != 1 || page.Bans[0].Note != "sells watches" || page.More {
		t.Errorf("%+v, %v", page, err)
	}
	b.ListID = 0
	_, err = s.AddBan(t.Context(), as("owner@a.example"), b)
	wantKind(t, err, lists.Denied)
	_, err = s.Bans(t.Context(), as("owner@a.example"), 0, "")
	wantKind(t, err, lists.Denied)
	for _, bad := range []lists.Ban{{Pattern: "eve", Action: "reject"}, {Pattern: "^(", Action: "reject"}, {Pattern: "list:dev@lists.example", Action: "reject"}, {Pattern: "x@y.example", Action: "accept"}, {Pattern: "x@y.example"}} {
		bad.ListID = l.ID
		_, err = s.AddBan(t.Context(), lists.CLI(), bad)
		wantKind(t, err, lists.Invalid)
	}
}

// TestApproved: the password lets a post through, is stored as a hash, told to nobody, and cannot be guessed.
func TestApproved(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	const password = "orange juice and tea"
	s.set(l, "approve_password="+password, "emergency=true")
	if rules := one[string](s, `SELECT rules::text FROM list`); strings.Contains(rules, password) || !strings.Contains(rules, "$argon2id$") {
		t.Errorf("stored as %s", rules)
	}
	if _, _, params := s.audited(); strings.Contains(fmt.Sprint(params), "argon2id") || strings.Contains(fmt.Sprint(params), password) {
		t.Errorf("audited %v", params)
	}
	m := letterOf("1", "eve@evil.example", "Approved: "+password+"\nX-APPROVED :\n "+password+"\nSubject: approved\n", "Approved: of course\n")
	p, _ := s.kept(s.wantRuled(m, "accepted by approved").Post)
	var raw bytes.Buffer
	if err := s.WriteRaw(t.Context(), as("owner@a.example"), p, &raw); err != nil || strings.Contains(raw.String(), password) || !strings.HasSuffix(raw.String(), "\r\nSubject: approved\r\n\r\nApproved: of course\r\n") {
		t.Errorf("%v\n%s", err, raw.String())
	}
	s.wantRuled(letterOf("2", "ann@a.example", "X-Approve: wrong\n", ""), "held by emergency")
	s.wantRuled(letterOf("3", "ann@a.example", "", "Approved: "+password+"\n\nHello\n"), "held by approved")
	s.wantRuled(letterOf("4", "ann@a.example", "", ""), "held by emergency")
	s.exec(`UPDATE rate SET n = 20 WHERE key LIKE 'approval-client:%'`)
	out := s.wantRuled(letterOf("5", "ann@a.example", "Approved: "+password+"\n", ""), "held by emergency")
	if _, trace := s.kept(out.Post); !strings.Contains(fmt.Sprint(trace), "approved unread") {
		t.Errorf("trace %v", trace)
	}
	from := func(id, client string) string {
		t.Helper()
		out := s.takeAs(letterOf(id, "eve@evil.example", "Approved: "+password+"\n", ""), func(e *lists.Envelope) { e.Client = client })
		return fates([]lists.Outcome{out})
	}
	if got := from("5a", "198.51.100.1"); got != "accepted" {
		t.Errorf("from another client: %s", got)
	}
	s.exec(`UPDATE rate SET n = 500 WHERE key LIKE 'approval-list:%'`)
	if got := from("5b", "198.51.100.1"); got != "post.not-member" {
		t.Errorf("after many wrong ones of all clients: %s", got)
	}
	_, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "approve_password", Value: "short"}})
	wantKind(t, err, lists.Invalid)
	s.set(l, "approve_password=none")
	s.wantRuled(letterOf("6", "ann@a.example", "Approved: "+password+"\n", ""), "held by emergency")
	s.exec(`DELETE FROM rate`)
	s.wantRuled(letterOf("7", "ann@a.example", "Approved: "+password+"\n", ""), "held by emergency")
}

// TestNewMembersAreHeldAtFirst: until so many were released; who was there before is not new.
func TestNewMembersAreHeldAtFirst(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	s.set(l, "new_member_posts=2")
	s.add(l, "bob@b.example")
	s.wantRuled(letterOf("1", "ann@a.example", "", ""), "accepted by member")
	s.wantRuled(letterOf("2", "owner@a.example", "", ""), "accepted by moderates")
	release := func(out lists.Outcome) {
		t.Helper()
		if _, err := s.ReleasePost(t.Context(), as("owner@a.example"), out.Post); err != nil {
			t.Fatal(err)
		}
	}
	first := s.wantRuled(letterOf("3", "bob@b.example", "", ""), "held by newcomer")
	second := s.wantRuled(letterOf("4", "bob@b.example", "", ""), "held by newcomer")
	third := s.wantRuled(letterOf("5", "bob@b.example", "", ""), "held by newcomer")
	release(first)
	if _, err := s.RejectPost(t.Context(), lists.CLI(), second.Post, "no"); err != nil {
		t.Fatal(err)
	}
	s.wantRuled(letterOf("6", "bob@b.example", "", ""), "held by newcomer")
	release(third)
	s.wantRuled(letterOf("7", "bob@b.example", "", ""), "accepted by member")
	s.set(l, "new_member_posts=3") // changing the number makes nobody new who was not
	s.wantRuled(letterOf("8", "ann@a.example", "", ""), "accepted by member")
}

func TestModerationOfAMember(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	moderate := func(by lists.Actor, value string) error {
		_, err := s.SetMember(t.Context(), by, l.ID, addr(t, "ann@a.example"), []lists.Change{{Key: "moderation", Value: value}})
		return err
	}
	wantKind(t, moderate(as("ann@a.example"), "accept"), lists.Denied)
	for value, want := range map[string]string{
		"hold": "held by override", "reject": "post.override", "discard": "discarded by override", "accept": "accepted by override", "default": "held by members",
	} {
		if err := moderate(as("owner@a.example"), value); err != nil {
			t.Fatal(err)
		}
		s.set(l, "member_action=hold")
		s.wantRuled(letterOf(value, "ann@a.example", "", ""), want)
	}
}

func TestWhoMayPostWithoutBeingAMember(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	staff := s.list("staff@lists.example", nil, "owner@a.example")
	s.add(staff, "sam@s.example")
	s.set(l, `allowed_posters=@company.example ^ci-\d+@ list:staff@lists.example`)
	s.wantRuled(letterOf("1", "x@company.example", "", ""), "accepted by allowed")
	s.wantRuled(letterOf("2", "ci-7@b.example", "", ""), "accepted by allowed")
	out := s.wantRuled(letterOf("3", "sam@s.example", "", ""), "accepted by allowed")
	if _, trace := s.kept(out.Post); !strings.Contains(fmt.Sprint(trace), "map[list:staff@lists.example]") {
		t.Errorf("trace %v", trace)
	}
	s.wantRuled(letterOf("4", "eve@evil.example", "", ""), "post.not-member")
	s.set(l, "nonmember_action=hold")
	s.wantRuled(letterOf("5", "eve@evil.example", "", ""), "held by not-member")
	s.set(l, "nonmember_action=confirm")
	out = s.wantRuled(letterOf("6", "eve@evil.example", "", ""), "held by not-member")
	if got := one[string](s, `SELECT state || ' ' || ruled FROM post WHERE id = $1`, out.Post); got != "unconfirmed confirm" {
		t.Errorf("to be confirmed: %s", got)
	}
	if _, err := s.ReleasePost(t.Context(), as("owner@a.example"), out.Post); err != nil {
		t.Errorf("releasing what is to be confirmed: %v", err)
	}
}

func TestRateOfAnAuthor(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	s.add(l, "bob@b.example")
	s.set(l, "post_rate=2/h", "rate_action=reject")
	for id, want := range []string{"accepted by member", "accepted by member", "post.rate"} {
		s.wantRuled(letterOf(fmt.Sprint(id), "ann@a.example", "", ""), want)
	}
	s.wantRuled(letterOf("b", "bob@b.example", "", ""), "accepted by member")
	s.exec(`UPDATE rate SET until = now() - interval '1 second'`)
	s.wantRuled(letterOf("c", "ann@a.example", "", ""), "accepted by member")
}

// TestPartsOfAPost: they are read where the list asks, from large messages too.
func TestPartsOfAPost(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	const multipart = "Content-Type: multipart/mixed; boundary=x\n"
	html := func(id string) mail {
		return letterOf(id, "ann@a.example", multipart, "--x\n\nHello\n--x\nContent-Type: text/html\n\n<p>Hello</p>\n--x--\n")
	}
	s.wantRuled(html("1"), "accepted by member")
	s.set(l, "text_only=true", "mime_action=reject", "mime_refused=*.exe")
	if out := s.wantRuled(html("2"), "post.mime"); !strings.Contains(out.Refusal.Msg, "plain text only") {
		t.Errorf("%q", out.Refusal.Msg)
	}
	large := letterOf("3", "ann@a.example", multipart, "--x\n\n"+strings.Repeat("Hello\n", 100_000)+"--x\nContent-Type: text/plain; name=é.EXE\n\nMZ\n--x--\n")
	if out := s.wantRuled(large, "post.mime"); out.Refusal.Msg != "dev@lists.example does not take ?.exe" {
		t.Errorf("%q", out.Refusal.Msg)
	}
	s.wantRuled(letterOf("4", "ann@a.example", multipart, "no part at all\n"), "held by mime")
	began := time.Now()
	s.wantRuled(letterOf("5", "ann@a.example", multipart, strings.Repeat("--x\n\n\n", 10_000)), "post.mime")
	s.wantRuled(letterOf("6", "ann@a.example", "Content-Type: message/rfc822\n", strings.Repeat("Content-Type: message/rfc822\n\n", 10_000)), "post.mime")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("bombs took %s", took)
	}
	s.wantRuled(letterOf("7", "ann@a.example", "", "Hello\n"), "accepted by member")
}

// TestDMARCAndNames: what nobody vouches for is kept back where the list says so, and the DNS is asked once.
func TestDMARCAndNames(t *testing.T) {
	t.Parallel()
	dns := authTexts()
	s := authSite(t, dns, "")
	l, err := s.ListByAddress(t.Context(), lists.CLI(), addr(t, "dev@lists.example"))
	if err != nil {
		t.Fatal(err)
	}
	fate := func(id, from, client string) string {
		t.Helper()
		out := s.takeAs(letterOf(id, from, "", ""), func(e *lists.Envelope) { e.Client = client })
		got := fates([]lists.Outcome{out})
		if out.Refusal == nil {
			got += one[string](s, `SELECT ' by ' || reason || ' ' || ruled FROM post WHERE id = $1`, out.Post)
		}
		return got
	}
	want := func(id, from, client, want string) {
		t.Helper()
		if got := fate(id, from, client); got != want {
			t.Errorf("%s from %s by %s: %s, want %s", id, from, client, got, want)
		}
	}
	want("1", "ann@a.example", "198.51.100.1", "accepted by member accept")
	s.set(l, "unauthenticated=confirm")
	want("2", "ann@a.example", "198.51.100.1", "held by authentication confirm")
	want("3", "ann@a.example", "192.0.2.7", "accepted by member accept")
	want("4", "owner@a.example", "198.51.100.1", "held by authentication confirm")
	s.set(l, "dmarc_fail=reject")
	want("5", "ann@a.example", "198.51.100.1", "post.authentication")
	want("6", "eve@evil.example", "198.51.100.1", "post.not-member")
	before := dns.asked.Load()
	want("7", "ann@a.example", "192.0.2.7", "accepted by member accept")
	once := dns.asked.Load() - before
	s.set(l, "dmarc_fail=accept", "unauthenticated=accept")
	want("8", "ann@a.example", "192.0.2.7", "accepted by member accept")
	if plain := dns.asked.Load() - before - once; once != plain {
		t.Errorf("%d questions to the DNS where rules ask for it, %d where none does", once, plain)
	}
	before = dns.asked.Load()
	want("9", "eve@evil.example", "198.51.100.1", "post.not-member")
	if n := dns.asked.Load() - before; n != 0 {
		t.Errorf("%d questions to the DNS about a stranger", n)
	}
}

// TestRulesOfTheSite hold for all lists, on other nodes within seconds.
func TestRulesOfTheSite(t *testing.T) {
	t.Parallel()
	s, _ := devSite(t)
	now := time.Now()
	other := lists.New(s.pool, lists.Config{Now: func() time.Time { return now }})
	here := s.Service
	s.Service = other
	s.wantRuled(letterOf("1", "ann@a.example", "X-Mailer: bulk 7\n", ""), "accepted by member")
	rules := []lists.Change{{Key: "header_rules", Value: "reject X-Mailer ^bulk"}}
	wantKind(t, here.SetSite(t.Context(), as("owner@a.example"), rules), lists.Denied)
	if err := here.SetSite(t.Context(), lists.CLI(), rules); err != nil {
		t.Fatal(err)
	}
	s.wantRuled(letterOf("2", "ann@a.example", "X-Mailer: bulk 7\n", ""), "accepted by member")
	now = now.Add(6 * time.Second)
	s.wantRuled(letterOf("3", "ann@a.example", "X-Mailer: bulk 7\n", ""), "post.header")
	s.Service = here
	s.wantRuled(letterOf("4", "ann@a.example", "X-Mailer: bulk 7\n", ""), "post.header")
	get, err := s.Site(t.Context(), lists.CLI())
	if err != nil || get("header_rules") != "reject X-Mailer ^bulk" {
		t.Errorf("%q, %v", get("header_rules"), err)
	}
	wantKind(t, here.SetSite(t.Context(), lists.CLI(), []lists.Change{{Key: "emergency", Value: "true"}}), lists.Invalid)
}

// TestExplain tells what would happen, and does nothing.
func TestExplain(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	s.set(l, "post_rate=1/h", "rate_action=reject", "unauthenticated=hold", "approve_password=a long password", "text_only=true")
	rows := func() string {
		return one[string](s, `SELECT (SELECT count(*) FROM post) || ' ' || (SELECT count(*) FROM rate) || ' ' || (SELECT count(*) FROM notice) || ' ' || (SELECT count(*) FROM seen)`)
	}
	before := rows()
	explain := func(by lists.Actor, m mail, e lists.Explanation) (verdict.Decision, *lists.Error, error) {
		e.Message = m.message()
		return s.Explain(t.Context(), by, l.ID, e)
	}
	m := letterOf("1", "ann@a.example", "Approved: a wrong password\n", "Hello\n")
	_, _, err := explain(as("ann@a.example"), m, lists.Explanation{})
	wantKind(t, err, lists.NotFound)
	for range 3 {
		d, refusal, err := explain(as("owner@a.example"), m, lists.Explanation{})
		if err != nil || d.Action != verdict.Hold || d.Reason != verdict.RuleAuthentication || refusal != nil {
			t.Fatalf("%+v, %v, %v", d, refusal, err)
		}
		d, _, err = explain(lists.CLI(), m, lists.Explanation{Authenticated: true})
		if err != nil || d.Action != verdict.Accept || d.Code() != "member" {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	if d, refusal, err := explain(lists.CLI(), letterOf("2", "eve@evil.example", "", ""), lists.Explanation{}); err != nil || d.Code() != "not-member" || refusal == nil || !strings.Contains(refusal.Msg, "Only members may post") {
		t.Errorf("%+v, %v, %v", d, refusal, err)
	}
	if d, _, err := explain(lists.CLI(), m, lists.Explanation{Null: true}); err != nil || d.Reason != verdict.RuleAutomatic {
		t.Errorf("%+v, %v", d, err)
	}
	if after := rows(); after != before {
		t.Errorf("rows %s before, %s after", before, after)
	}
}

// TestPlainPostAsksNothingMore: a list without rules has no question to the database beside those there were.
func TestPlainPostAsksNothingMore(t *testing.T) {
	t.Parallel()
	s, _ := devSite(t)
	out := s.wantRuled(letterOf("1", "ann@a.example", "", ""), "accepted by member")
	_, trace := s.kept(out.Post)
	var asked []string
	for _, step := range trace {
		asked = append(asked, step.Rule)
	}
	if got := strings.Join(asked, " "); got != "from loop automatic size author policy" {
		t.Errorf("asked %s", got)
	}
}
