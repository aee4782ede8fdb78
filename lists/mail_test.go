package lists_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/lists"
)

func TestForward(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil, "owner@a.example")
	m := post("1", "anybody@x.example", "dev-owner@lists.example", "postmaster@lists.example")
	m.to = m.to[1:]
	s.wantFates(m, "forward.nobody") // the site has no admin
	m = post("1", "anybody@x.example", "dev-owner@lists.example", "postmaster@lists.example")
	if _, err := s.CreatePerson(t.Context(), lists.CLI(), lists.NewPerson{Address: addr(t, "root@a.example"), Admin: true}); err != nil {
		t.Fatal(err)
	}
	out := s.wantFates(m, "accepted accepted")
	got := one[string](s, `SELECT string_agg(concat_ws(' ', kind, state, sender, list IS NULL, domain IS NULL, planned IS NULL), ', ' ORDER BY kind) FROM post`)
	if got != "admins accepted anybody@x.example t f t, owners accepted anybody@x.example f t t" {
		t.Errorf("kept %s", got)
	}
	received := one[string](s, `SELECT received FROM post WHERE id = $1`, out[0].Post)
	if !strings.Contains(received, "for <dev-owner@lists.example>") {
		t.Errorf("received %q", received)
	}
	m.to = m.to[:1]
	m.text = received[:len(received)-2] + "\n" + m.text
	s.wantFates(m, "post.loop")
	m.text = strings.Repeat("Received: x\n", 100) + "Subject: no From\n\nx\n"
	s.wantFates(m, "post.loop")
	m = mail{to: []string{"dev-owner@lists.example"}, text: "Subject: no From, null sender\nAuto-Submitted: auto-replied\n\nx\n"}
	s.wantFates(m, "accepted")
	s.wantFates(m, "duplicate")
	if n := one[int](s, `SELECT count(*) FROM post WHERE sender = '' AND author = ''`); n != 1 {
		t.Errorf("%d with a null sender", n)
	}
	s.noticed()
}

func TestForwardIsLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	limited := 0
	for n := range 40 {
		out := s.accept(post(fmt.Sprint(n), "a@x.example", "dev-owner@lists.example"))
		if out[0].Refusal != nil {
			if out[0].Refusal.Kind != lists.Limited {
				t.Fatal(out[0].Refusal)
			}
			limited++
		}
	}
	if limited != 10 {
		t.Errorf("%d of 40 put off", limited)
	}
	// Where there is one answer, nothing is kept that would come again with the rest.
	s.wantFates(post("x", "a@x.example", "dev@lists.example", "dev-owner@lists.example"), "limited limited")
	if n := one[int](s, `SELECT count(*) FROM post WHERE kind = 'post'`); n != 0 {
		t.Errorf("%d posts kept", n)
	}
	s.wantFates(post("y", "b@x.example", "dev-owner@lists.example"), "accepted")
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"advertised": "false"}, "owner@a.example")
	request := func(from, subject, body string) mail {
		return mail{from: from, to: []string{"dev-request@lists.example"}, text: fmt.Sprintf("From: Ann <%s>\nSubject: %s\n\n%s\n", from, subject, body)}
	}
	results := func(n notice) string {
		var words []string
		for _, r := range n.Params["Results"].([]any) {
			words = append(words, r.(map[string]any)["Outcome"].(string))
		}
		return strings.Join(words, " ")
	}
	answered := func(from string, want string, kinds ...string) {
		t.Helper()
		found := s.noticed(append(kinds, "command-answer "+from)...)
		for _, n := range found {
			if n.Kind == "command-answer" && results(n) != want {
				t.Errorf("%s is told %q, want %q", from, results(n), want)
			}
		}
	}
	s.wantFates(request("ann@a.example", "hello", "join\nfoo bar\nend\nleave"), "done")
	answered("ann@a.example", "confirm unknown end", "join-confirm ann@a.example")
	s.wantFates(request("ann@a.example", "confirm "+strings.Repeat("a", 26), ""), "done")
	answered("ann@a.example", "expired")

	// The question is answered by mail.
	s.exec(`DELETE FROM token`)
	s.wantFates(mail{from: "ann@a.example", to: []string{"dev-join@lists.example"}, text: "From: ann@a.example\n\nx\n"}, "done")
	token := s.noticed("join-confirm ann@a.example")[0].Params["Token"].(string)
	confirm := mail{from: "ann@a.example", to: []string{"Dev-Confirm+" + strings.ToUpper(token) + "@lists.example"}, text: "From: ann@a.example\n\nyes\n"}
	auto := confirm
	auto.text = "Auto-Submitted: auto-replied\n" + auto.text
	s.wantFates(auto, "post.automatic")
	auto = confirm
	auto.from = ""
	s.wantFates(auto, "post.automatic")
	if n := one[int](s, `SELECT count(*) FROM member`); n != 0 {
		t.Fatal("automatic mail confirmed")
	}
	s.noticed()
	s.wantFates(confirm, "done")
	s.noticed("welcome ann@a.example")
	if got := one[string](s, `SELECT address || ' ' || consent FROM member WHERE list = $1 AND left_at IS NULL`, l.ID); got != "ann@a.example mail" {
		t.Errorf("member %s", got)
	}
	s.wantFates(confirm, "done")
	answered("ann@a.example", "before")

	s.wantFates(mail{from: "ann@a.example", to: []string{"dev-unsubscribe@lists.example"}, text: "From: ann@a.example\n\nx\n"}, "done")
	token = s.noticed("leave-confirm ann@a.example")[0].Params["Token"].(string)
	s.wantFates(request("ann@a.example", "Re: confirm "+token, ""), "done")
	answered("ann@a.example", "done", "goodbye ann@a.example")

	if _, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "join_policy", Value: "closed"}}); err != nil {
		t.Fatal(err)
	}
	s.wantFates(mail{from: "ann@a.example", to: []string{"dev-subscribe@lists.example"}, text: "From: ann@a.example\n\nx\n"}, "done")
	answered("ann@a.example", "closed")
}

// TestCommandsInMIME finds the text where mail programs put it.
func TestCommandsInMIME(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil)
	s.wantFates(mail{from: "ann@a.example", to: []string{"dev-request@lists.example"}, text: `From: ann@a.example
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain
Content-Transfer-Encoding: base64

aGVscAo=
--b
Content-Type: text/html

<p>join</p>
--b--
`}, "done")
	found := s.noticed("command-answer ann@a.example")
	if r := fmt.Sprint(found[0].Params["Results"]); r != "[map[Line:help Outcome:help Rows:<nil>]]" || found[0].Params["Help"] != true {
		t.Errorf("told %v", found[0].Params)
	}
}

func TestCommandsAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil)
	for range 50 {
		s.wantFates(mail{from: "ann@a.example", to: []string{"dev-request@lists.example"}, text: "From: ann@a.example\n\nwhat?\n"}, "done")
	}
	if n := len(s.notices()); n != 10 {
		t.Errorf("%d answers in a day", n)
	}
	s.Service = lists.New(s.pool, lists.Config{Hostname: "mx.lists.example", MaxAnswers: 3})
	for range 5 {
		s.wantFates(mail{from: "bob@a.example", to: []string{"dev-request@lists.example"}, text: "From: bob@a.example\n\nwhat?\n"}, "done")
	}
	if n := len(s.notices()); n != 3 {
		t.Errorf("%d answers in a day, where three may be", n)
	}
	for _, m := range []mail{
		{from: "dev@lists.example", text: "From: d@b.example\n\nhelp\njoin\n"},
		{from: "d@b.example", text: "From: dev-owner@lists.example\n\nhelp\njoin\n"},
	} {
		m.to = []string{"dev-request@lists.example"}
		s.wantFates(m, "done")
		s.noticed()
	}
	for _, m := range []mail{
		{text: "From: MAILER-DAEMON@b.example\n\nhelp\n"},
		{from: "noreply@b.example", text: "From: noreply@b.example\n\nhelp\n"},
		{from: "c@b.example", text: "From: c@b.example\nPrecedence: bulk\n\nhelp\n"},
		{from: "c@b.example", text: "From: c@b.example\nList-Id: <other.lists.example>\n\nhelp\n"},
		{from: "c@b.example", text: "Received: from b.example by mx.lists.example (Muster) with ESMTP\n\tfor <dev-request@lists.example>; x\nFrom: c@b.example\n\nhelp\n"},
		{from: "e@b.example", text: "From: e@b.example\nAuto-Submitted: auto-generated\n\nhelp\n"},
		{from: "e@b.example", text: "Subject: help\n\nhelp\n"},
	} {
		m.to = []string{"dev-request@lists.example"}
		if got := s.accept(m); got[0].Refusal == nil {
			t.Errorf("obeyed %q", m.text)
		}
		s.noticed()
	}
}

const report = `From: MAILER-DAEMON@mx.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; somebody-else@a.example
Action: %s
Status: %s
Diagnostic-Code: smtp; no such
 user

--b--
`

func TestBounce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil)
	s.add(l, "ann@a.example")
	id := one[int64](s, `SELECT id FROM member`)
	sealer, err := s.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	today := lists.SealDay(time.Now())
	seal := sealer.Bounce(l.ID, id, today)
	score := func() int { return one[int](s, `SELECT score FROM member`) }
	failed := fmt.Sprintf(report, "failed", "5.1.1")
	for _, tt := range []struct {
		what, seal, text string
	}{
		{"no seal", "", failed},
		{"a forged seal", "+" + strings.Repeat("a", 26), failed},
		{"an old seal", "+" + sealer.Bounce(l.ID, id, today-40), failed},
		{"a seal of another list", "+" + sealer.Bounce(l.ID+1, id, today), failed},
		{"a leave seal", "+" + sealer.Leave(l.ID, id), failed},
		{"a delay", "+" + seal, fmt.Sprintf(report, "delayed", "4.4.1")},
		{"a vacation", "+" + seal, "From: ann@a.example\nAuto-Submitted: auto-replied\n\nI am away.\n"},
		{"a person", "+" + seal, "From: ann@a.example\n\nHello\n"},
	} {
		s.wantFates(mail{to: []string{"dev-bounces" + tt.seal + "@lists.example"}, text: tt.text}, "done")
		if n := one[int](s, `SELECT count(*) FROM bounce`); n != 0 || score() != 0 {
			t.Fatalf("%s counts: %d bounces, score %d", tt.what, n, score())
		}
	}
	m := mail{to: []string{"dev-bounces+" + strings.ToUpper(seal) + "@lists.example"}, text: failed}
	for range 20 {
		s.wantFates(m, "done")
	}
	if n := one[int](s, `SELECT count(*) FROM bounce WHERE member = $1 AND hard AND status = '5.1.1' AND text = 'no such user' AND source = 'mail'`, id); n != 10 || score() != 1 {
		t.Errorf("%d bounces kept, score %d", n, score())
	}
	s.exec(`UPDATE member SET scored = scored - 1`)
	s.wantFates(mail{to: m.to, text: "From: Mailer-Daemon@old.example\nSubject: failure notice\n\nSorry.\n"}, "done")
	if score() != 2 {
		t.Errorf("the next day's bounce: score %d", score())
	}
	s.noticed()
}

// TestForwardBesideAList does not put off a post because nobody reads what it also goes to, and keeps
// the rest for whom there will be.
func TestForwardBesideAList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	s.list("shut@lists.example", nil)
	s.wantFates(post("1", "a@x.example", "dev@lists.example", "postmaster@lists.example", "dev-owner@lists.example"), "accepted accepted accepted")
	s.wantFates(post("2", "a@x.example", "postmaster@lists.example"), "forward.nobody")
	s.wantFates(post("3", "a@x.example", "shut@lists.example", "postmaster@lists.example", "dev-bounces@lists.example"), "forward.nobody forward.nobody forward.nobody")
	s.noticed()
	if kinds := one[string](s, `SELECT string_agg(kind, ' ' ORDER BY kind) FROM post WHERE state = 'accepted'`); kinds != "admins owners post" {
		t.Errorf("kept: %s", kinds)
	}
}

func TestMayForward(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil)
	ask := func(to string, want lists.Kind) {
		t.Helper()
		target, err := s.Resolve(t.Context(), addr(t, to))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.MayForward(t.Context(), target, addr(t, "a@x.example")); lists.KindOf(err) != want || (err == nil) != (want == 0) {
			t.Errorf("%s: %v", to, err)
		}
	}
	for _, to := range []string{"dev-owner@lists.example", "abuse@lists.example"} {
		ask(to, lists.Limited) // nobody reads it
	}
	for _, to := range []string{"postmaster@lists.example", "dev@lists.example", "dev-request@lists.example"} {
		ask(to, 0)
	}
	if _, err := s.CreatePerson(t.Context(), lists.CLI(), lists.NewPerson{Address: addr(t, "root@a.example"), Admin: true}); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"dev-owner@lists.example", "abuse@lists.example", "postmaster@lists.example"} {
		for range 50 {
			ask(to, 0) // to ask does not count
		}
		for n := range 30 {
			s.wantFates(post(fmt.Sprint(to, n), "a@x.example", to), "accepted")
		}
	}
	ask("dev-owner@lists.example", lists.Limited)
	ask("abuse@lists.example", lists.Limited)
	ask("postmaster@lists.example", 0)
	s.exec(`UPDATE rate SET until = now()`)
	ask("dev-owner@lists.example", 0)
}

// An address with a plus is the address without it, but where a token or a seal stands behind it: a
// message to both is one message.
func TestRecipientsThatDifferByDetail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add(s.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example"), "ann@a.example")
	for _, tt := range []struct {
		role, from, fates string
		notices           string // that the two recipients lead to
	}{
		{"", "ann@a.example", "accepted accepted", ""},
		{"-owner", "ann@a.example", "accepted accepted", ""},
		{"-request", "ann@a.example", "done done", "command-answer"},
		{"-join", "ben@a.example", "done done", "join-confirm"},
		{"-leave", "ann@a.example", "done done", "leave-confirm"},
		{"-confirm+x", "ann@a.example", "done done", "command-answer command-answer"},
	} {
		s.exec(`DELETE FROM notice`)
		s.wantFates(post("of"+tt.role, tt.from, "dev"+tt.role+"@lists.example", "dev"+tt.role+"+x@lists.example"), tt.fates)
		var kinds []string
		for _, n := range s.notices() {
			kinds = append(kinds, n.Kind)
		}
		if got := strings.Join(kinds, " "); got != tt.notices {
			t.Errorf("dev%s@ and dev%[1]s+x@: notices %q, want %q", tt.role, got, tt.notices)
		}
	}
	if n := one[int](s, `SELECT count(*) FROM post`); n != 2 {
		t.Errorf("%d posts kept, want one for the list and one for its owners", n)
	}
}
