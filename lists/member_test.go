package lists_test

import (
	"testing"

	"muster/lists"
)

func TestAddMember(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "ann@x.example")
	m, err := s.AddMember(ctx, as("ann@x.example"), l.ID, lists.NewMember{Mailbox: box(t, "Fred Foo <Fred@Doc.example>")})
	if err != nil || m.Key != "fred@doc.example" || m.Address != "Fred@Doc.example" || m.Name != "Fred Foo" || m.Domain != "doc.example" ||
		m.Mode != lists.ModeEach || m.State != lists.StateActive || m.Hidden || !m.OwnPosts || m.Nested != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if how := one[string](s, `SELECT consent || ' ' || consent_from FROM member`); how != "owner 192.0.2.1" {
		t.Errorf("consent %q", how)
	}
	_, err = s.AddMember(ctx, lists.CLI(), l.ID, lists.NewMember{Mailbox: box(t, "FRED@doc.EXAMPLE")})
	wantKind(t, err, lists.Exists)
	_, err = s.AddMember(ctx, as("fred@doc.example"), l.ID, lists.NewMember{Mailbox: box(t, "eve@x.example")})
	wantKind(t, err, lists.Denied)
	_, err = s.AddMember(ctx, lists.CLI(), l.ID, lists.NewMember{Mailbox: box(t, "eve@x.example"), Mode: "daily"})
	wantKind(t, err, lists.Invalid)
	s.noticed()
	if actor, action, params := s.audited(); actor != "ann@x.example" || action != "member.add" || params["address"] != "Fred@Doc.example" {
		t.Errorf("audited %s %s %v", actor, action, params)
	}
}

func TestAddMemberTellsWhomItIsAskedTo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil, "ann@x.example", "abe@x.example")
	n := lists.NewMember{Mailbox: box(t, "Fred <fred@x.example>"), Welcome: true, Notify: true}
	if _, err := s.AddMember(t.Context(), lists.CLI(), l.ID, n); err != nil {
		t.Fatal(err)
	}
	s.noticed("welcome fred@x.example", "member-joined ann@x.example", "member-joined abe@x.example")
	if err := s.RemoveMember(t.Context(), lists.CLI(), l.ID, addr(t, "fred@x.example"), true); err != nil {
		t.Fatal(err)
	}
	s.noticed("goodbye fred@x.example")
	if s.wakes.Load() == 0 {
		t.Error("nobody was woken")
	}
}

func TestAddressesThatAreOneMember(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	for _, pair := range [][2]string{
		{"a@x.example", "A@X.EXAMPLE"},
		{"b@bücher.example", "b@xn--bcher-kva.example"},
		{"zoe\u0308@x.example", "zo\u00eb@x.example"},
		{`"dot.atom"@x.example`, "dot.atom@x.example"},
	} {
		s.add(l, pair[0])
		_, err := s.AddMember(t.Context(), lists.CLI(), l.ID, lists.NewMember{Mailbox: box(t, pair[1])})
		wantKind(t, err, lists.Exists)
	}
}

func TestOwnAddressesAreNotMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	outer := s.list("outer@a.example", nil, "ann@x.example")
	inner := s.list("inner@a.example", nil, "abe@x.example")
	ann := as("ann@x.example")
	for _, own := range []string{
		"outer@a.example", "outer-bounces@a.example", "outer-join@A.example", "outer-confirm+abc@a.example",
		"nolist-owner@a.example", "postmaster@a.example", "mailer-daemon@a.example", "inner@a.example",
	} {
		_, err := s.AddMember(ctx, ann, outer.ID, lists.NewMember{Mailbox: box(t, own)})
		if lists.KindOf(err) != lists.Invalid {
			t.Errorf("%s: %v", own, err)
		}
		err = s.Subscribe(ctx, lists.Subscription{List: outer.ID, Mailbox: box(t, own), From: lists.Anonymous("")})
		if lists.KindOf(err) != lists.Invalid {
			t.Errorf("%s: %v", own, err)
		}
	}
	s.add(outer, "person@a.example") // somebody behind the same mail server
	both := as("ann@x.example")
	both.Keys = append(both.Keys, "abe@x.example")
	m, err := s.AddMember(ctx, both, outer.ID, lists.NewMember{Mailbox: box(t, "Inner@A.example")})
	if err != nil || m.Nested == nil || *m.Nested != inner.ID {
		t.Errorf("who owns both lists: %+v, %v", m, err)
	}
}

func TestMemberWhoseAddressBecomesAList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	outer := s.list("outer@a.example", nil)
	s.add(outer, "later@a.example")
	later := s.list("later@a.example", nil)
	m, err := s.Member(t.Context(), lists.CLI(), outer.ID, addr(t, "later@a.example"))
	if err != nil || m.Nested == nil || *m.Nested != later.ID {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWhoWentIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "ann@x.example")
	s.add(l, "left@x.example", "removed@x.example")
	if err := s.RemoveMember(ctx, as("left@x.example"), l.ID, addr(t, "left@x.example"), false); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveMember(ctx, as("ann@x.example"), l.ID, addr(t, "Removed@x.example"), false); err != nil {
		t.Fatal(err)
	}
	for who, code := range map[string]string{"left@x.example": "member.left", "Removed@x.example": "member.removed"} {
		_, err := s.AddMember(ctx, lists.CLI(), l.ID, lists.NewMember{Mailbox: box(t, who)})
		wantKind(t, err, lists.Conflict)
		if got := err.(*lists.Error).Code; got != code {
			t.Errorf("%s: %s", who, got)
		}
		if _, err := s.AddMember(ctx, lists.CLI(), l.ID, lists.NewMember{Mailbox: box(t, who), Again: true}); err != nil {
			t.Errorf("%s again: %v", who, err)
		}
	}
	if n := one[int](s, `SELECT count(*) FROM tombstone`); n != 0 {
		t.Errorf("%d tombstones of members", n)
	}
	if n := one[int](s, `SELECT count(*) FROM member`); n != 4 {
		t.Errorf("%d rows: coming back writes a new one", n)
	}
	if n := one[int](s, `SELECT count(*) FROM tombstone t WHERE t.key_hash::text LIKE '%example%'`); n != 0 {
		t.Error("a tombstone tells the address")
	}
}

func TestRemoveMember(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "ann@x.example")
	s.add(l, "bob@x.example", "eve@x.example")
	wantKind(t, s.RemoveMember(ctx, as("eve@x.example"), l.ID, addr(t, "bob@x.example"), false), lists.Denied)
	wantKind(t, s.RemoveMember(ctx, lists.Anonymous(""), l.ID, addr(t, "bob@x.example"), false), lists.Denied)
	wantKind(t, s.RemoveMember(ctx, lists.CLI(), l.ID, addr(t, "nobody@x.example"), false), lists.NotFound)
	if err := s.RemoveMember(ctx, as("bob@x.example"), l.ID, addr(t, "bob@x.example"), false); err != nil {
		t.Error(err)
	}
	wantKind(t, s.RemoveMember(ctx, lists.CLI(), l.ID, addr(t, "bob@x.example"), false), lists.NotFound)
}

func TestSetMember(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "ann@x.example")
	s.add(l, "bob@x.example", "eve@x.example")
	bob, ann, who := as("bob@x.example"), as("ann@x.example"), addr(t, "bob@x.example")
	set := func(by lists.Actor, key, value string) error {
		_, err := s.SetMember(ctx, by, l.ID, who, []lists.Change{{Key: key, Value: value}})
		return err
	}
	wantKind(t, set(as("eve@x.example"), "mode", "none"), lists.Denied)
	wantKind(t, set(bob, "state", "moderator"), lists.Denied)
	wantKind(t, set(bob, "moode", "none"), lists.Invalid)
	for _, c := range []lists.Change{{Key: "mode", Value: "none"}, {Key: "hidden", Value: "true"}, {Key: "own_posts", Value: "false"}, {Key: "addressed_posts", Value: "false"}, {Key: "vacation", Value: " 2027-07-01 .. 2027-07-21 "}, {Key: "state", Value: "user"}, {Key: "name", Value: "Bob"}} {
		if err := set(bob, c.Key, c.Value); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	m, err := s.Member(ctx, bob, l.ID, who)
	if err != nil || m.Mode != "none" || !m.Hidden || m.OwnPosts || m.AddressedPosts || m.Get("vacation") != "2027-07-01..2027-07-21" || m.State != "user" || m.Name != "Bob" {
		t.Errorf("%+v, %v", m, err)
	}
	if err := set(ann, "state", "moderator"); err != nil {
		t.Error(err)
	}
	wantKind(t, set(bob, "state", "active"), lists.Denied)
	s.exec(`UPDATE member SET score = 5`)
	if err := set(ann, "state", "active"); err != nil {
		t.Error(err)
	}
	if m, err := s.Member(ctx, ann, l.ID, who); err != nil || m.Score != 0 {
		t.Errorf("score %d, %v", m.Score, err)
	}
	_, err = s.Member(ctx, as("eve@x.example"), l.ID, who)
	wantKind(t, err, lists.Denied)
	_, err = s.Member(ctx, ann, l.ID, addr(t, "nobody@x.example"))
	wantKind(t, err, lists.NotFound)
	if actor, action, params := s.audited(); actor != "ann@x.example" || action != "member.set" || params["address"] != "bob@x.example" {
		t.Errorf("audited %s %s %v", actor, action, params)
	}
}
