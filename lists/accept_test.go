package lists_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"muster/lists"
	"muster/smtp"
)

// mail is a message as a server hands it over.
type mail struct {
	from string // reverse-path; "" is null
	to   []string
	text string // lines end as they do here
	raw  []byte // instead of text
	by   lists.Actor
	each bool
	utf8 bool
}

func (m mail) message() lists.Message {
	raw := m.raw
	if raw == nil {
		raw = []byte(strings.ReplaceAll(m.text, "\n", "\r\n"))
	}
	header := len(raw)
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		header = i + 4
	}
	return lists.Message{
		Size: int64(len(raw)), HeaderLen: int64(header), EightBit: !isASCII(raw), UTF8: !isASCII(raw[:header]),
		Open: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(raw)) },
	}
}

func isASCII(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r > 127 }) < 0
}

func (s *site) envelope(m mail) lists.Envelope {
	s.t.Helper()
	env := lists.Envelope{
		By: m.by, Each: m.each, UTF8: m.utf8, Client: "192.0.2.7",
		Received: "from a.example ([192.0.2.7]) by mx.lists.example (Muster) with ESMTP id x1",
	}
	if m.from != "" {
		env.From = addr(s.t, m.from)
	}
	for _, to := range m.to {
		target, err := s.Resolve(s.t.Context(), addr(s.t, to))
		if err != nil {
			s.t.Fatal(err)
		}
		env.To = append(env.To, target)
	}
	return env
}

func (s *site) accept(m mail) []lists.Outcome {
	s.t.Helper()
	outcomes, err := s.Accept(s.t.Context(), s.envelope(m), m.message())
	if err != nil {
		s.t.Fatalf("mail from <%s> to %v: %v", m.from, m.to, err)
	}
	return outcomes
}

// fates is what became of a mail for each recipient, a refusal by its code.
func fates(outcomes []lists.Outcome) string {
	var words []string
	for _, o := range outcomes {
		if o.Refusal != nil {
			words = append(words, o.Refusal.Code)
		} else {
			words = append(words, string(o.Fate))
		}
	}
	return strings.Join(words, " ")
}

func (s *site) wantFates(m mail, want string) []lists.Outcome {
	s.t.Helper()
	outcomes := s.accept(m)
	if got := fates(outcomes); got != want {
		s.t.Fatalf("mail from <%s> to %v: %s, want %s", m.from, m.to, got, want)
	}
	return outcomes
}

// post is a plain one.
func post(id, from string, to ...string) mail {
	return mail{from: from, to: to, text: fmt.Sprintf("From: %s\nMessage-ID: <%s@a.example>\nSubject: Hello\n\nBody of %s.\n", from, id, id)}
}

func TestAcceptKeepsAPost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil, "owner@a.example")
	s.add(l, "ann@a.example")
	m := mail{from: "bounce@a.example", to: []string{"Dev@lists.example"}, utf8: true,
		text: "Return-Path: <x@y>\nFrom: =?utf-8?q?J=C3=A9?= <Ann@A.example>\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\n folded\nMessage-ID: <1@a.example>\n\nHellö\n.\n\n"}
	out := s.wantFates(m, "accepted")
	p, decisions, err := s.PostByID(t.Context(), lists.CLI(), out[0].Post)
	if err != nil {
		t.Fatal(err)
	}
	want := lists.Post{
		ID: p.ID, Ref: p.Ref, ListID: l.ID, Kind: "post", State: "accepted", Arrived: p.Arrived, Accepted: &p.Arrived,
		Sender: "bounce@a.example", Author: "Ann@A.example", MessageID: "<1@a.example>", Subject: "Grüße folded", Size: p.Size,
	}
	if p.Accepted == nil || !p.Accepted.Equal(p.Arrived) || len(p.Ref) != 16 {
		t.Errorf("accepted %v, arrived %v, ref %q", p.Accepted, p.Arrived, p.Ref)
	}
	want.Accepted = p.Accepted
	want.Since, want.Edits = p.Arrived, p.Edits
	if !reflect.DeepEqual(p, want) || len(p.Edits) != 0 {
		t.Errorf("kept %+v\nwant %+v", p, want)
	}
	var raw bytes.Buffer
	if err := s.WriteRaw(t.Context(), lists.CLI(), p, &raw); err != nil || raw.String() != strings.ReplaceAll(m.text, "\n", "\r\n") {
		t.Errorf("raw %q, %v", raw.String(), err)
	}
	if len(decisions) != 1 || decisions[0].Actor != lists.ActorRules || decisions[0].Action != "accept" || decisions[0].Reason != "member" {
		t.Errorf("decided %+v", decisions)
	}
	received := one[string](s, `SELECT received FROM post`)
	if !strings.HasPrefix(received, "Received: from a.example ([192.0.2.7]) by mx.lists.example (Muster) with ESMTP id x1\r\n\tfor <dev@lists.example>; ") {
		t.Errorf("received %q", received)
	}
	if !one[bool](s, `SELECT eightbit AND NOT smtputf8 AND header_len = size - 13 AND planned IS NULL FROM post`) {
		t.Error("the row does not say what the message needs")
	}
	if s.wakes.Load() == 0 {
		t.Error("the fan-out was not woken")
	}
	byRef, _, err := s.PostByRef(t.Context(), as("owner@a.example"), p.Ref)
	if err != nil || byRef.ID != p.ID {
		t.Errorf("by its ref: %v, %v", byRef.ID, err)
	}
}

// TestAcceptTrace is what is kept of why a post was let in.
func TestAcceptTrace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "moderators"}, "owner@a.example")
	s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "held")
	const want = `[{"rule":"from","answer":"pass"},{"rule":"loop","answer":"pass"},{"rule":"automatic","answer":"pass"},` +
		`{"rule":"size","answer":"pass"},{"rule":"author","answer":"pass"},{"rule":"policy","answer":"moderation","action":"hold","params":{"policy":"moderators"}}]`
	if got := one[string](s, `SELECT trace::text FROM post`); !sameJSON(t, got, want) {
		t.Errorf("trace\n got %s\nwant %s", got, want)
	}
	if got := one[string](s, `SELECT ruled || ' ' || reason FROM post`); got != "hold moderation" {
		t.Errorf("decided: %s", got)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func TestAcceptKeepsALargeMessageInPieces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, name := range []string{"one", "two"} {
		s.list(name+"@lists.example", map[string]string{"post_policy": "anyone"})
	}
	body := make([]byte, 700<<10)
	rand.Read(body)
	raw := append([]byte("From: a@a.example\r\nMessage-ID: <big@a.example>\r\n\r\n"), body...)
	m := mail{from: "a@a.example", to: []string{"one@lists.example", "two@lists.example"}, raw: raw}
	for i, o := range s.wantFates(m, "accepted accepted") {
		p, _, err := s.PostByID(t.Context(), lists.CLI(), o.Post)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := s.WriteRaw(t.Context(), lists.CLI(), p, &got); err != nil || !bytes.Equal(got.Bytes(), raw) {
			t.Errorf("list %d: %d octets of %d, %v", i, got.Len(), len(raw), err)
		}
	}
	if n := one[int](s, `SELECT max(octet_length(bytes)) FROM post_raw`); n != 256<<10 {
		t.Errorf("the largest piece has %d octets", n)
	}
	s.wantFates(m, "duplicate duplicate")
	if n := one[int](s, `SELECT count(*) FROM post_raw`); n != 6 {
		t.Errorf("%d pieces", n)
	}
}

func TestAcceptTellsDuplicates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	open := map[string]string{"post_policy": "anyone"}
	s.list("one@lists.example", open)
	s.list("two@lists.example", open)
	first := post("1", "ann@a.example", "one@lists.example")
	s.wantFates(first, "accepted")
	s.wantFates(first, "duplicate")
	again := first
	again.text = "Received: by another way\n" + first.text // what changed is not the body
	s.wantFates(again, "duplicate")
	other := first
	other.text += "More.\n"
	s.wantFates(other, "post.duplicate")
	other.to = []string{"two@lists.example"}
	s.wantFates(other, "accepted")
	s.wantFates(mail{from: "a@a.example", to: []string{"one@lists.example", "ONE@lists.example", "one+tag@lists.example"},
		text: "From: a@a.example\nMessage-ID: <9@a.example>\n\nx\n"}, "accepted accepted accepted")
	if n := one[int](s, `SELECT count(*) FROM post`); n != 3 {
		t.Errorf("%d posts, want 3", n)
	}
}

func TestAcceptWithoutMessageID(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("one@lists.example", map[string]string{"post_policy": "anyone"})
	m := mail{from: "a@a.example", to: []string{"one@lists.example"}}
	for _, id := range []string{"", "Message-ID: not one\n", "Message-ID: <" + strings.Repeat("x", 2000) + "@y>\n"} {
		m.text = "From: a@a.example\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: " + fmt.Sprint(len(id)) + "\n" + id + "\nx\n"
		s.wantFates(m, "accepted")
		s.wantFates(m, "duplicate")
	}
	m.text = strings.Replace(m.text, "Mon, 1 Jan", "Mon, 8 Jan", 1)
	s.wantFates(m, "accepted")
	// An id that is none still tells two messages apart that are alike otherwise.
	m.text = "From: a@a.example\nSubject: twins\nMessage-ID: 00020\n\nx\n"
	s.wantFates(m, "accepted")
	m.text = strings.Replace(m.text, "00020", "00022", 1)
	s.wantFates(m, "accepted")
	if !one[bool](s, `SELECT bool_and(message_id ~ '^<[a-z2-7]{26}@mx\.lists\.example>$') FROM post`) {
		t.Error("a Message-ID that was made is not one")
	}
}

// TestAcceptRaced sends every message by many at once: it is kept once.
func TestAcceptRaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("one@lists.example", map[string]string{"post_policy": "anyone"})
	s.list("two@lists.example", map[string]string{"post_policy": "anyone"})
	var wg sync.WaitGroup
	for worker := range 20 {
		to := []string{"one@lists.example", "two@lists.example"}
		if worker%2 == 1 {
			to[0], to[1] = to[1], to[0]
		}
		wg.Go(func() {
			for n := range 5 {
				m := post(fmt.Sprint(n), "ann@a.example", to...)
				outcomes, err := s.Accept(t.Context(), s.envelope(m), m.message())
				if err != nil {
					t.Error(err)
					return
				}
				for _, o := range outcomes {
					if o.Refusal != nil {
						t.Errorf("refused: %v", o.Refusal)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := one[int](s, `SELECT count(*) FROM post`); n != 10 {
		t.Errorf("%d posts of 5 messages to 2 lists", n)
	}
}

func TestAcceptPolicies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, policy := range []string{"members", "anyone", "moderators"} {
		l := s.list(policy+"@lists.example", map[string]string{"post_policy": policy}, "owner@a.example")
		s.add(l, "Ann <ann@a.example>")
		if err := s.SetRole(t.Context(), lists.CLI(), l.ID, addr(t, "mod@a.example"), lists.RoleModerator); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, tt := range []struct{ author, members, anyone, moderators string }{
		{"ann@a.example", "accepted", "accepted", "held"},
		{"ANN@A.example", "accepted", "accepted", "held"},
		{"owner@a.example", "accepted", "accepted", "accepted"},
		{"mod@a.example", "accepted", "accepted", "accepted"},
		{"eve@evil.example", "post.not-member", "accepted", "held"},
		{`"ann@a.example" <eve@evil.example>`, "post.not-member", "accepted", "held"},
		{"ann@a.example, eve@evil.example", "post.from", "post.from", "post.from"},
	} {
		for policy, want := range map[string]string{"members": tt.members, "anyone": tt.anyone, "moderators": tt.moderators} {
			n++
			m := mail{from: "x@x.example", to: []string{policy + "@lists.example"}, text: fmt.Sprintf("From: %s\nMessage-ID: <%d@x>\n\nx\n", tt.author, n)}
			if got := fates(s.accept(m)); got != want {
				t.Errorf("%s to %s: %s, want %s", tt.author, policy, got, want)
			}
		}
	}
}

func TestAcceptFromWhoSignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil, "owner@a.example")
	s.add(l, "ann@home.example")
	ann := lists.Actor{Person: 1, Keys: []string{"ann@a.example", "ann@home.example"}, Name: "ann@a.example"}
	m := post("1", "ann@a.example", "dev@lists.example")
	s.wantFates(m, "post.not-member")
	m.by = ann
	s.wantFates(m, "accepted")
	if !one[bool](s, `SELECT authenticated FROM post`) {
		t.Error("not kept that the author proved who they are")
	}
	m = post("2", "owner@a.example", "dev@lists.example")
	m.by = ann
	s.wantFates(m, "post.author")
}

func TestAcceptRefusesLoops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dev := s.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	other := s.list("other@lists.example", map[string]string{"post_policy": "anyone"})
	sealer, err := s.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	received := func(n int) string { return strings.Repeat("Received: x\n", n) }
	for i, tt := range []struct{ from, header, want string }{
		{"a@a.example", "List-Id: Dev <DEV.lists.example>\n", "post.loop"},
		{"a@a.example", "List-Id: <other.lists.example>\n", "accepted"},
		{"a@a.example", "X-BeenThere: dev@lists.example\n", "post.loop"},
		{"a@a.example", "List-Unsubscribe: <https://lists.example/leave/" + sealer.Leave(dev.ID, 7) + ">\n", "post.loop"},
		{"a@a.example", "List-Unsubscribe: <https://lists.example/leave/" + sealer.Leave(other.ID, 7) + ">\n", "accepted"},
		{"a@a.example", "List-Unsubscribe: <https://lists.example/leave/" + strings.Repeat("a", 26) + ">\n", "accepted"},
		{"dev-bounces@lists.example", "", "post.loop"},
		{"other-bounces@lists.example", "", "accepted"},
		{"a@a.example", received(99), "accepted"},
		{"a@a.example", received(100), "post.loop"},
	} {
		m := mail{from: tt.from, to: []string{"dev@lists.example"}, text: fmt.Sprintf("From: a@a.example\nMessage-ID: <%d@x>\n%s\nx\n", i, tt.header)}
		if got := fates(s.accept(m)); got != tt.want {
			t.Errorf("%s%q: %s, want %s", tt.from, tt.header, got, tt.want)
		}
	}
}

func TestAcceptMixed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("open@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	s.list("closed@lists.example", nil, "owner@a.example", "second@a.example")
	to := []string{"open@lists.example", "closed@lists.example", "closed@lists.example"}
	m := post("1", "eve@e.example", to...)
	m.each = true
	s.wantFates(m, "accepted post.not-member post.not-member")
	s.noticed()

	s.wantFates(post("2", "eve@e.example", to...), "accepted held held")
	found := s.noticed("held owner@a.example", "held second@a.example")
	if p := found[0].Params; p["Reason"] != "not-member" || p["Author"] != "eve@e.example" || !strings.HasPrefix(p["URL"].(string), "/manage/lists/closed@lists.example/posts/") {
		t.Errorf("moderators are told %v", p)
	}
	if n := one[int](s, `SELECT count(*) FROM post WHERE state = 'held'`); n != 1 {
		t.Errorf("%d held", n)
	}

	m = post("3", "eve@e.example", to...)
	m.by = as("eve@e.example")
	s.wantFates(m, "accepted post.not-member post.not-member")
	if p := s.noticed("post-refused eve@e.example")[0].Params; p["Reason"] != "not-member" || p["MessageID"] != "<3@a.example>" {
		t.Errorf("the author is told %v", p)
	}

	s.wantFates(post("4", "eve@e.example", to[1:]...), "post.not-member post.not-member")
	if n := one[int](s, `SELECT count(*) FROM post WHERE message_id = '<4@a.example>'`); n != 0 {
		t.Error("what was refused to all was kept")
	}
}

func TestAcceptMixedDuplicate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("one@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	s.list("two@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	s.wantFates(post("1", "ann@a.example", "one@lists.example"), "accepted")
	m := post("1", "ann@a.example", "one@lists.example", "two@lists.example")
	m.text += "Not the same.\n"
	out := s.wantFates(m, "held accepted")
	if p := s.noticed("held owner@a.example")[0].Params; p["Reason"] != "duplicate" {
		t.Errorf("moderators are told %v", p)
	}
	if _, err := s.DiscardPost(t.Context(), lists.CLI(), out[0].Post); err != nil {
		t.Fatal(err)
	}
	s.wantFates(post("1", "ann@a.example", "one@lists.example"), "duplicate")
}

func TestAcceptToRemovedList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	m := post("1", "ann@a.example", "dev@lists.example")
	env := s.envelope(m)
	if err := s.RemoveList(t.Context(), lists.CLI(), l.ID); err != nil {
		t.Fatal(err)
	}
	out, err := s.Accept(t.Context(), env, m.message())
	if err != nil || fates(out) != "recipient.unknown" {
		t.Errorf("%s, %v", fates(out), err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil)
	for _, tt := range []struct {
		address string
		kind    lists.TargetKind
		detail  string
	}{
		{"dev@lists.example", lists.TargetPost, ""},
		{"DEV@Lists.Example", lists.TargetPost, ""},
		{"dev+tag@lists.example", lists.TargetPost, "tag"},
		{"dev-owner@lists.example", lists.TargetOwner, ""},
		{"dev-request@lists.example", lists.TargetRequest, ""},
		{"dev-join@lists.example", lists.TargetJoin, ""},
		{"dev-subscribe@lists.example", lists.TargetJoin, ""},
		{"Dev-Leave@lists.example", lists.TargetLeave, ""},
		{"dev-unsubscribe@lists.example", lists.TargetLeave, ""},
		{"dev-confirm+TOKEN@lists.example", lists.TargetConfirm, "token"},
		{"dev-bounces@lists.example", lists.TargetBounces, ""},
		{"dev-bounces+Seal@lists.example", lists.TargetBounces, "seal"},
		{"Postmaster@lists.example", lists.TargetAdmins, ""},
		{"abuse@lists.example", lists.TargetAdmins, ""},
		{"postmaster@mx.lists.example", lists.TargetAdmins, ""},
		{"nobody@lists.example", lists.TargetUnknown, ""},
		{"nobody-owner@lists.example", lists.TargetUnknown, ""},
		{"dev-other@lists.example", lists.TargetUnknown, ""},
		{"ann%a.example@lists.example", lists.TargetUnknown, ""},
		{"ann@a.example", lists.TargetForeign, ""},
		{"dev@sub.lists.example", lists.TargetForeign, ""},
		{"dev@[192.0.2.1]", lists.TargetForeign, ""},
	} {
		got, err := s.Resolve(t.Context(), addr(t, tt.address))
		if err != nil || got.Kind != tt.kind || got.Detail != tt.detail {
			t.Errorf("%s: %+v, %v", tt.address, got, err)
		}
		if hasList := got.List.ID == l.ID; hasList != (tt.kind > lists.TargetUnknown && tt.kind != lists.TargetAdmins) {
			t.Errorf("%s: list %d", tt.address, got.List.ID)
		}
	}
	for _, bare := range []string{"postmaster", "POSTMASTER"} {
		if got, err := s.Resolve(t.Context(), smtp.Address{Local: bare}); err != nil || got.Kind != lists.TargetAdmins || got.Domain != l.DomainID {
			t.Errorf("<%s>: %+v, %v", bare, got, err)
		}
	}
	if err := s.RemoveList(t.Context(), lists.CLI(), l.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Resolve(t.Context(), addr(t, "dev@lists.example")); err != nil || got.Kind != lists.TargetUnknown {
		t.Errorf("removed: %+v, %v", got, err)
	}
}

// TestAcceptMixedWithTakers does not let an address that takes everything make a refusal a taking.
func TestAcceptMixedWithTakers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("l1@lists.example", nil, "owner@a.example")
	s.list("l2@lists.example", nil, "owner@a.example")
	for i, beside := range []string{"l1-bounces@lists.example", "l1-request@lists.example", "l1-join@lists.example"} {
		s.wantFates(post(fmt.Sprint(i), "eve@e.example", beside, "l1@lists.example", "l2@lists.example"), "post.not-member post.not-member post.not-member")
	}
	if n := one[int](s, `SELECT count(*) FROM post`); n != 0 {
		t.Errorf("%d posts kept of what was refused", n)
	}
	s.noticed()
}

// TestAcceptMixedRule refuses as a whole what one list refuses for what it is: no moderator is
// bothered with it, nobody can be told by mail, and it is not lost after a 250.
func TestAcceptMixedRule(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	open := map[string]string{"post_policy": "anyone"}
	s.list("l1@lists.example", open, "owner@a.example")
	s.list("l2@lists.example", open, "owner@a.example")
	m := post("1", "ann@a.example", "l2@lists.example", "l1@lists.example")
	m.text = "List-Id: <l1.lists.example>\n" + m.text
	s.wantFates(m, "post.loop post.loop")
	m.each = true
	s.wantFates(m, "accepted post.loop")
	m = post("2", "ann@a.example", "l1@lists.example", "l1-owner@lists.example")
	m.text = "Auto-Submitted: auto-replied\n" + m.text
	s.wantFates(m, "post.automatic post.automatic")
	m = mail{from: "a@a.example", to: []string{"l1-owner@lists.example", "l1@lists.example"}, text: "Subject: no From\n\nx\n"}
	s.wantFates(m, "post.from post.from")
	m = post("3", "ann@a.example", "l1@lists.example", "l2-request@lists.example")
	m.text = "Auto-Submitted: auto-replied\n" + m.text
	m.to[0] = "l1-owner@lists.example"
	s.wantFates(m, "accepted post.automatic")
	if n := one[int](s, `SELECT count(*) FROM post`); n != 2 {
		t.Errorf("%d kept", n)
	}
	s.noticed()

	m = post("4", "ann@a.example", "l2@lists.example", "l1@lists.example")
	m.text = "List-Id: <l1.lists.example>\n" + m.text
	m.by = as("ann@a.example")
	s.wantFates(m, "accepted post.loop")
	s.noticed("post-refused ann@a.example")
}

// TestAcceptMixedRemovedList refuses what is for two lists of which one is gone since RCPT.
func TestAcceptMixedRemovedList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	gone := s.list("l1@lists.example", map[string]string{"post_policy": "anyone"})
	s.list("l2@lists.example", map[string]string{"post_policy": "anyone"})
	m := post("1", "ann@a.example", "l2@lists.example", "l1@lists.example")
	m.by = as("ann@a.example")
	env := s.envelope(m)
	if err := s.RemoveList(t.Context(), lists.CLI(), gone.ID); err != nil {
		t.Fatal(err)
	}
	out, err := s.Accept(t.Context(), env, m.message())
	if err != nil || fates(out) != "recipient.unknown recipient.unknown" {
		t.Errorf("%s, %v", fates(out), err)
	}
	if n := one[int](s, `SELECT count(*) FROM post`); n != 0 {
		t.Errorf("%d kept", n)
	}
}

// TestAcceptMixedOwnerDuplicate keeps for the owners what has the Message-ID of another mail to them,
// where a list beside them takes it.
func TestAcceptMixedOwnerDuplicate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("l1@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	s.wantFates(post("1", "ann@a.example", "l1-owner@lists.example"), "accepted")
	m := post("1", "ann@a.example", "l1-owner@lists.example", "l1@lists.example")
	m.text += "Not the same.\n"
	s.wantFates(m, "accepted accepted")
	s.noticed()
}

// TestAcceptMixedLateDuplicate refuses what only the database could know to be a duplicate, also
// where an address beside the list would take anything.
func TestAcceptMixedLateDuplicate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("l1@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	s.wantFates(post("1", "ann@a.example", "l1@lists.example"), "accepted")
	m := post("1", "ann@a.example", "l1-bounces@lists.example", "l1@lists.example")
	m.text += "Not the same.\n"
	s.wantFates(m, "post.duplicate post.duplicate")
	if n := one[int](s, `SELECT count(*) FROM post`); n != 1 {
		t.Errorf("%d posts", n)
	}
	s.noticed()
}
