package lists_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"muster/lists"
	"muster/smtp"
)

func (s *site) subscribe(l lists.List, mailbox smtp.Mailbox, client string) {
	s.t.Helper()
	sub := lists.Subscription{List: l.ID, Mailbox: mailbox, Client: client, How: lists.ConsentWeb, Language: "de", From: lists.Anonymous(client)}
	if err := s.Subscribe(s.t.Context(), sub); err != nil {
		s.t.Fatalf("subscribe %s: %v", mailbox, err)
	}
}

// tokenOf is the token in a mail.
func tokenOf(t testing.TB, n notice) string {
	t.Helper()
	url, _ := n.Params["URL"].(string)
	token := url[strings.LastIndexByte(url, '/')+1:]
	if len(token) < 26 {
		t.Fatalf("no token in %v", n)
	}
	return token
}

func (s *site) isMember(l lists.List, address string) bool {
	s.t.Helper()
	_, err := s.Member(s.t.Context(), lists.CLI(), l.ID, addr(s.t, address))
	if err != nil && lists.KindOf(err) != lists.NotFound {
		s.t.Fatal(err)
	}
	return err == nil
}

func TestJoinWithConfirmation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "ann@x.example")
	s.subscribe(l, box(t, "Buy at http://spam.example <Bob@x.example>"), "192.0.2.7")
	mails := s.noticed("join-confirm Bob@x.example")
	if raw, _ := json.Marshal(mails[0].Params); strings.Contains(string(raw), "spam") || mails[0].Language != "de" {
		t.Errorf("the mail carries what a stranger wrote: %s", raw)
	}
	token := tokenOf(t, mails[0])
	if mails[0].Params["Reply"] != "dev-confirm+"+token+"@a.example" || mails[0].Params["URL"] != "/confirm/"+token {
		t.Errorf("params %v", mails[0].Params)
	}
	for range 3 { // a scanner fetches the link
		p, err := s.Pending(ctx, token, "192.0.2.8")
		if err != nil || p.Purpose != lists.PurposeJoin || p.List.ID != l.ID || p.Address != "Bob@x.example" || p.Done {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if s.isMember(l, "bob@x.example") {
		t.Fatal("showing the question answered it")
	}
	c, err := s.Confirm(ctx, strings.ToUpper(token), "192.0.2.9")
	if err != nil || c.Purpose != lists.PurposeJoin || c.List.ID != l.ID || c.Address != "Bob@x.example" || c.Waits || c.Before {
		t.Fatalf("%+v, %v", c, err)
	}
	s.noticed("welcome Bob@x.example")
	if how := one[string](s, `SELECT consent || ' ' || consent_from || ' ' || language FROM member`); how != "web 192.0.2.9 de" {
		t.Errorf("consent %q", how)
	}
	c, err = s.Confirm(ctx, token, "192.0.2.9")
	if err != nil || !c.Before {
		t.Errorf("a second answer: %+v, %v", c, err)
	}
	s.noticed()
	if p, err := s.Pending(ctx, token, ""); err != nil || !p.Done {
		t.Errorf("%+v, %v", p, err)
	}
	if n := one[int](s, `SELECT count(*) FROM token WHERE hash = convert_to($1, 'UTF8') OR params::text LIKE '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token itself is stored")
	}
}

func TestUnadvertisedListIsJoinedByMail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("secret@a.example", map[string]string{"advertised": "false"})
	sub := lists.Subscription{List: l.ID, Mailbox: box(t, "bob@x.example"), How: lists.ConsentWeb}
	wantKind(t, s.Subscribe(t.Context(), sub), lists.NotFound)
	sub.How = lists.ConsentMail
	if err := s.Subscribe(t.Context(), sub); err != nil {
		t.Error(err)
	}
	s.noticed("join-confirm bob@x.example")
}

func TestAskingAgainMailsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l, other := s.list("dev@a.example", nil), s.list("other@a.example", nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1") })
	}
	wg.Wait()
	s.subscribe(l, box(t, "BOB@X.example"), "192.0.2.2")
	s.noticed("join-confirm bob@x.example")
	s.subscribe(other, box(t, "bob@x.example"), "192.0.2.1")
	s.noticed("join-confirm bob@x.example")
	s.exec(`UPDATE token SET expires = now() - interval '1 second'`)
	s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	s.noticed("join-confirm bob@x.example")
}

func TestOneAddressIsNotFlooded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 12 {
		l := s.list(fmt.Sprintf("list%d@a.example", i), nil)
		s.subscribe(l, box(t, "victim@x.example"), fmt.Sprintf("192.0.2.%d", i))
	}
	if n := len(s.notices()); n != 5 {
		t.Errorf("%d mails in a day", n)
	}
	s.exec(`UPDATE rate SET until = now()`)
	s.subscribe(s.list("later@a.example", nil), box(t, "victim@x.example"), "192.0.2.99")
	s.noticed("join-confirm victim@x.example")
}

// TestWhatWasNotMailedIsNotOpen has the sixth and seventh question of a day, which nobody was mailed,
// asked when the day is over.
func TestWhatWasNotMailedIsNotOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all []lists.List
	for i := range 7 {
		all = append(all, s.list(fmt.Sprintf("list%d@a.example", i), nil))
	}
	joins := func(from int) {
		for _, l := range all[from:] {
			s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
		}
	}
	leaves := func(from int) {
		for _, l := range all[from:] {
			d := lists.Departure{List: l.ID, Address: addr(t, "bob@x.example"), How: lists.ConsentWeb}
			if err := s.RequestLeave(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	try := func(kind string, ask func(from int)) {
		t.Helper()
		ask(0)
		if n := len(s.notices()); n != 5 {
			t.Errorf("%d mails in a day", n)
		}
		ask(5)
		s.noticed()
		s.exec(`UPDATE rate SET until = now()`)
		ask(5)
		s.noticed(kind+" bob@x.example", kind+" bob@x.example")
		s.exec(`UPDATE rate SET until = now()`)
	}
	try(lists.NoticeJoinConfirm, joins)
	for _, l := range all {
		s.add(l, "bob@x.example")
	}
	try(lists.NoticeLeaveConfirm, leaves)
}

func TestOneClientIsLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = s.Subscribe(t.Context(), lists.Subscription{
			List: l.ID, Mailbox: box(t, fmt.Sprintf("u%d@x.example", n)), How: lists.ConsentWeb,
			Client: fmt.Sprintf("[2001:db8:1:2::%x]:4711", n+1), // another address of one /64 each time
		})
	}
	wantKind(t, err, lists.Limited)
	if mails := len(s.notices()); mails != 30 || n != 31 {
		t.Errorf("%d mails after %d requests", mails, n)
	}
	s.subscribe(l, box(t, "other@x.example"), "2001:db8:1:3::1")
	s.noticed("join-confirm other@x.example")
}

func TestTheAnswerIsTheSameForMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	s.add(l, "bob@x.example")
	for range 3 {
		s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	}
	s.noticed("already-member bob@x.example")
}

func TestTheAnswerIsTheSameForTheBanned(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	token := tokenOf(t, s.noticed("join-confirm bob@x.example")[0])
	s.exec(`INSERT INTO tombstone (list, key_hash, reason) VALUES ($1, sha256('bob@x.example'), 'banned')`, l.ID)
	if _, err := s.Confirm(t.Context(), token, ""); err != nil {
		t.Error(err)
	}
	s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	s.noticed()
	if s.isMember(l, "bob@x.example") {
		t.Error("who was banned is back")
	}
}

func TestWhoLeftMayComeBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", map[string]string{"join_policy": "open"})
	s.add(l, "bob@x.example")
	if err := s.RemoveMember(t.Context(), as("bob@x.example"), l.ID, addr(t, "bob@x.example"), false); err != nil {
		t.Fatal(err)
	}
	s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	s.noticed("welcome bob@x.example")
	if !s.isMember(l, "bob@x.example") || one[int](s, `SELECT count(*) FROM tombstone`) != 0 {
		t.Error("not back, or not quite")
	}
}

func TestJoinPolicies(t *testing.T) {
	t.Parallel()
	bob, eve := "bob@x.example", "eve@x.example"
	for _, tt := range []struct {
		policy    string
		stranger  string // mails when bob asks, unknown to the site
		confirmed string // mails when he confirms
		signedIn  string // mails when eve asks, signed in with the address
	}{
		{"open", "welcome " + bob, "", "welcome " + eve},
		{"confirm", "join-confirm " + bob, "welcome " + bob, "welcome " + eve},
		{"moderate", "join-request ann@x.example", "", "join-request ann@x.example"},
		{"both", "join-confirm " + bob, "join-request ann@x.example", "join-request ann@x.example"},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			l := s.list("dev@a.example", map[string]string{"join_policy": tt.policy}, "ann@x.example")
			s.subscribe(l, box(t, bob), "192.0.2.1")
			mails := s.noticed(tt.stranger)
			if tt.confirmed != "" {
				c, err := s.Confirm(t.Context(), tokenOf(t, mails[0]), "192.0.2.1")
				if err != nil || c.Waits != (tt.policy == "both") {
					t.Errorf("%+v, %v", c, err)
				}
				s.noticed(tt.confirmed)
			}
			if err := s.Subscribe(t.Context(), lists.Subscription{List: l.ID, Mailbox: box(t, eve), How: lists.ConsentWeb, From: as(eve)}); err != nil {
				t.Error(err)
			}
			s.noticed(tt.signedIn)
			waits := tt.policy == "moderate" || tt.policy == "both"
			if s.isMember(l, bob) == waits || s.isMember(l, eve) == waits {
				t.Errorf("bob %v, eve %v", s.isMember(l, bob), s.isMember(l, eve))
			}
		})
	}
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		l := s.list("dev@a.example", nil)
		s.subscribe(l, box(t, bob), "")
		token := tokenOf(t, s.noticed("join-confirm " + bob)[0])
		if _, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "join_policy", Value: "closed"}}); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Subscribe(t.Context(), lists.Subscription{List: l.ID, Mailbox: box(t, eve)}), lists.Denied)
		_, err := s.Confirm(t.Context(), token, "")
		wantKind(t, err, lists.Denied)
		if p, err := s.Pending(t.Context(), token, ""); err != nil || p.Done {
			t.Errorf("a refused answer used the token up: %+v, %v", p, err)
		}
	})
}

func TestOwnersDecideWhoJoins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", map[string]string{"join_policy": "moderate"}, "ann@x.example")
	ann := as("ann@x.example")
	for range 2 {
		s.subscribe(l, box(t, "Bob <bob@x.example>"), "192.0.2.1")
		s.subscribe(l, box(t, "eve@x.example"), "192.0.2.1")
	}
	s.noticed("join-request ann@x.example", "join-request ann@x.example")
	waiting, err := s.PendingJoins(ctx, ann, l.ID, 0, 1)
	if err != nil || len(waiting) != 1 || waiting[0].Address != "bob@x.example" || waiting[0].Name != "Bob" {
		t.Fatalf("%+v, %v", waiting, err)
	}
	more, err := s.PendingJoins(ctx, ann, l.ID, waiting[0].ID, 50)
	if err != nil || len(more) != 1 {
		t.Fatalf("%+v, %v", more, err)
	}
	for _, by := range []lists.Actor{lists.Anonymous(""), as("bob@x.example")} {
		_, err := s.PendingJoins(ctx, by, l.ID, 0, 50)
		wantKind(t, err, lists.Denied)
		_, err = s.ApproveJoin(ctx, by, l.ID, waiting[0].ID)
		wantKind(t, err, lists.Denied)
		wantKind(t, s.RefuseJoin(ctx, by, l.ID, waiting[0].ID, ""), lists.Denied)
	}
	m, err := s.ApproveJoin(ctx, ann, l.ID, waiting[0].ID)
	if err != nil || m.Name != "Bob" || !s.isMember(l, "bob@x.example") {
		t.Errorf("%+v, %v", m, err)
	}
	s.noticed("welcome bob@x.example")
	_, err = s.ApproveJoin(ctx, ann, l.ID, waiting[0].ID)
	wantKind(t, err, lists.Conflict)
	if err := s.RefuseJoin(ctx, ann, l.ID, more[0].ID, "Not now.\r\nSorry."); err != nil {
		t.Error(err)
	}
	if mail := s.noticed("join-refused eve@x.example")[0]; mail.Params["Reason"] != "Not now.\nSorry." {
		t.Errorf("%v", mail)
	}
	if _, action, params := s.audited(); action != "join.refuse" || params["address"] != "eve@x.example" {
		t.Errorf("audited %s %v", action, params)
	}
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil)
	s.subscribe(l, box(t, "bob@x.example"), "")
	token := tokenOf(t, s.noticed("join-confirm bob@x.example")[0])
	_, _, err := s.SignInByToken(ctx, token, "")
	wantKind(t, err, lists.Expired)
	s.exec(`UPDATE token SET expires = now()`)
	var said []string
	for _, none := range []string{"", "x", token, token + "a", strings.Repeat("a", 26), "\x00\xff", strings.Repeat("x", 1<<16)} {
		_, err := s.Confirm(ctx, none, "")
		wantKind(t, err, lists.Expired)
		said = append(said, err.Error())
		_, err = s.Pending(ctx, none, "")
		wantKind(t, err, lists.Expired)
	}
	for _, words := range said {
		if words != said[0] {
			t.Errorf("%q differs from %q", words, said[0])
		}
	}
	for range 150 {
		if _, err = s.Confirm(ctx, strings.Repeat("b", 26), "192.0.2.66"); lists.KindOf(err) == lists.Limited {
			return
		}
	}
	t.Errorf("150 guesses of one client: %v", err)
}

func TestLeaveWithConfirmation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil)
	s.add(l, "bob@x.example", "eve@x.example")
	ask := func(who string, from lists.Actor) {
		t.Helper()
		if err := s.RequestLeave(ctx, lists.Departure{List: l.ID, Address: addr(t, who), Client: "192.0.2.1", How: lists.ConsentWeb, From: from}); err != nil {
			t.Fatal(err)
		}
	}
	ask("nobody@x.example", lists.Anonymous(""))
	s.noticed()
	ask("BOB@x.example", lists.Anonymous(""))
	ask("bob@x.example", as("eve@x.example"))
	mails := s.noticed("leave-confirm bob@x.example")
	if !s.isMember(l, "bob@x.example") {
		t.Fatal("left without being asked")
	}
	c, err := s.Confirm(ctx, tokenOf(t, mails[0]), "")
	if err != nil || c.Purpose != lists.PurposeLeave || s.isMember(l, "bob@x.example") {
		t.Errorf("%+v, %v", c, err)
	}
	s.noticed("goodbye bob@x.example")
	ask("eve@x.example", as("eve@x.example"))
	s.noticed("goodbye eve@x.example")
	if s.isMember(l, "eve@x.example") {
		t.Error("who signed in did not leave at once")
	}
}

func TestLeaveBySeal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l, other := s.list("dev@a.example", map[string]string{"advertised": "false"}), s.list("other@a.example", nil)
	s.add(l, "bob@x.example")
	s.add(other, "bob@x.example")
	m, err := s.Member(ctx, lists.CLI(), l.ID, addr(t, "bob@x.example"))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := s.Sealer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, forged := range []string{"", "x", sealer.Leave(other.ID, m.ID), sealer.Leave(l.ID, m.ID+100), sealer.Bounce(l.ID, m.ID, 0), strings.Repeat("a", 26)} {
		_, _, err := s.ReadLeaveSeal(ctx, forged)
		wantKind(t, err, lists.Expired)
		_, _, err = s.LeaveBySeal(ctx, forged, "192.0.2.1")
		wantKind(t, err, lists.Expired)
	}
	seal := sealer.Leave(l.ID, m.ID)
	got, who, err := s.ReadLeaveSeal(ctx, seal)
	if err != nil || got.ID != l.ID || who != "bob@x.example" || !s.isMember(l, "bob@x.example") {
		t.Fatalf("%+v, %s, %v", got, who, err)
	}
	if err := s.RotateSealKey(ctx, lists.CLI()); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Sealer(ctx); err != nil || now.Leave(l.ID, m.ID) == seal {
		t.Errorf("the new key is not used, %v", err)
	}
	for range 2 { // the second time there is nothing left to do
		if got, who, err := s.LeaveBySeal(ctx, seal, "192.0.2.1"); err != nil || got.ID != l.ID || who != "bob@x.example" {
			t.Fatalf("%+v, %s, %v", got, who, err)
		}
	}
	s.noticed("goodbye bob@x.example")
	if s.isMember(l, "bob@x.example") || !s.isMember(other, "bob@x.example") {
		t.Error("left the wrong list")
	}
}

func TestSealsOfTwoNodesAgree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	nodes := []*lists.Service{s.Service, lists.New(s.pool, lists.Config{}), lists.New(s.pool, lists.Config{})}
	var wg sync.WaitGroup
	seals := make([]string, len(nodes))
	for i, node := range nodes {
		wg.Go(func() {
			sealer, err := node.Sealer(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			seals[i] = sealer.Bounce(1, 2, 3)
		})
	}
	wg.Wait()
	if seals[0] != seals[1] || seals[1] != seals[2] || one[int](s, `SELECT count(*) FROM site_key`) != 1 {
		t.Errorf("%q", seals)
	}
}
