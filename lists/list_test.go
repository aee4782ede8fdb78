package lists_test

import (
	"strings"
	"testing"

	"muster/lists"
	"muster/smtp"
)

func TestCreateListMakesTheDomain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("C-Help@Lists.Example", nil, "Ann@a.example")
	if got := l.Address().String(); got != "c-help@lists.example" {
		t.Errorf("address %s, want the key form", got)
	}
	if l.Advertised != true || l.Expn != lists.ExpnMembers || l.PostPolicy != lists.PostMembers || l.JoinPolicy != lists.JoinConfirm || l.VERP != 1 {
		t.Errorf("defaults %+v", l)
	}
	domains, err := s.Domains(t.Context(), lists.CLI())
	if err != nil || len(domains) != 1 || domains[0].Name != "lists.example" {
		t.Errorf("domains %v, %v", domains, err)
	}
	roles, err := s.Roles(t.Context(), lists.CLI(), l.ID)
	if err != nil || len(roles) != 1 || roles[0].Key != "ann@a.example" || roles[0].Role != lists.RoleOwner {
		t.Errorf("roles %v, %v", roles, err)
	}
	page, err := s.Members(t.Context(), lists.CLI(), l.ID, lists.MemberQuery{})
	if err != nil || page.Count != 0 {
		t.Errorf("an owner is a member: %v, %v", page, err)
	}
	s.noticed()
	if actor, action, _ := s.audited(); actor != "cli" || action != "list.create" {
		t.Errorf("audited %s %s", actor, action)
	}
}

func TestCreateListNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	long := strings.Repeat("a", lists.MaxLocal)
	for _, name := range []string{"dev", "c-help", "x_1.y", "join", "announce", long, "request-tracker"} {
		if _, err := s.CreateList(t.Context(), lists.CLI(), lists.NewList{Address: smtp.Address{Local: name, Domain: "ok.example"}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", long + "a", "dev-request", "dev-join", "dev-subscribe", "dev-leave", "dev-unsubscribe", "Dev-OWNER",
		"dev-bounces", "dev-confirm", "dev+x", "postmaster", "Abuse", "mailer-daemon", "a b", "größe", "-dev", "dev.",
		"a..b", "dev%x", "a!b", `"quoted"`, "dev\r\n", "dev/../x",
	} {
		_, err := s.CreateList(t.Context(), lists.CLI(), lists.NewList{Address: smtp.Address{Local: name, Domain: "no.example"}})
		if lists.KindOf(err) != lists.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, err := s.CreateList(t.Context(), lists.CLI(), lists.NewList{Address: smtp.Address{Local: "DEV", Domain: "OK.example"}})
	wantKind(t, err, lists.Exists)
	for _, domain := range []string{"", "[192.0.2.1]", "a b", strings.Repeat("a.", 100) + "example"} {
		_, err := s.CreateList(t.Context(), lists.CLI(), lists.NewList{Address: smtp.Address{Local: "dev", Domain: domain}})
		if lists.KindOf(err) != lists.Invalid {
			t.Errorf("domain %q: %v", domain, err)
		}
	}
}

func TestSameNameInTwoDomains(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.list("dev@a.example", nil), s.list("dev@b.example", nil)
	if a.ID == b.ID || a.DomainID == b.DomainID {
		t.Errorf("%+v and %+v are one", a, b)
	}
	got, err := s.ListByAddress(t.Context(), lists.CLI(), addr(t, "Dev@B.example"))
	if err != nil || got.ID != b.ID {
		t.Errorf("dev@b.example is %+v, %v", got, err)
	}
}

func TestOnlyAdminsMakeListsAndDomains(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil, "ann@x.example")
	for _, by := range []lists.Actor{lists.Anonymous("192.0.2.1"), as("ann@x.example")} {
		_, err := s.CreateList(t.Context(), by, lists.NewList{Address: addr(t, "new@a.example")})
		wantKind(t, err, lists.Denied)
		_, err = s.CreateDomain(t.Context(), by, "new.example")
		wantKind(t, err, lists.Denied)
		wantKind(t, s.RemoveList(t.Context(), by, l.ID), lists.Denied)
	}
}

func TestSetList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil, "ann@x.example")
	ctx := t.Context()
	for _, by := range []lists.Actor{lists.Anonymous(""), as("bob@x.example")} {
		_, err := s.SetList(ctx, by, l.ID, []lists.Change{{Key: "expn", Value: "nobody"}})
		wantKind(t, err, lists.Denied)
	}
	_, err := s.SetList(ctx, as("ann@x.example"), l.ID, []lists.Change{
		{Key: "name", Value: "Developers"}, {Key: "description", Value: "For those\r\nwho develop"}, {Key: "advertised", Value: "false"},
		{Key: "expn", Value: "nobody"}, {Key: "post_policy", Value: "anyone"}, {Key: "join_policy", Value: "both"}, {Key: "verp", Value: "50"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.ListByID(ctx, lists.CLI(), l.ID)
	if err != nil || got.Name != "Developers" || got.Description != "For those\nwho develop" || got.Advertised ||
		got.Expn != "nobody" || got.PostPolicy != "anyone" || got.JoinPolicy != "both" || got.VERP != 50 {
		t.Errorf("%+v, %v", got, err)
	}
	actor, action, params := s.audited()
	verp, _ := params["verp"].(map[string]any)
	if actor != "ann@x.example" || action != "list.set" || verp["from"] != "true" || verp["to"] != "50" {
		t.Errorf("audited %s %s %v", actor, action, params)
	}
	_, err = s.SetList(ctx, lists.CLI(), l.ID, []lists.Change{{Key: "expn", Value: "anyone"}, {Key: "verp", Value: "often"}})
	wantKind(t, err, lists.Invalid)
	if got, _ := s.ListByID(ctx, lists.CLI(), l.ID); got.Expn != "nobody" {
		t.Error("a change was made beside one that was refused")
	}
}

// A priority is at the cost of other lists: owners cannot give their own one.
func TestPriorityIsForAdministrators(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil, "ann@x.example")
	set := func(by lists.Actor, value string) (lists.List, error) {
		return s.SetList(t.Context(), by, l.ID, []lists.Change{{Key: "name", Value: "Dev"}, {Key: "priority", Value: value}})
	}
	_, err := set(as("ann@x.example"), "high")
	wantKind(t, err, lists.Denied)
	if got, err := set(as("ann@x.example"), "normal"); err != nil || got.Name != "Dev" {
		t.Errorf("what stays is no change: %+v, %v", got, err)
	}
	if _, err := set(lists.CLI(), "low"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ListByID(t.Context(), lists.CLI(), l.ID); err != nil || got.Priority != lists.PriorityLow {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = set(lists.CLI(), "highest")
	wantKind(t, err, lists.Invalid)
}

func TestPrivateListIsUnknownToStrangers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("secret@a.example", map[string]string{"advertised": "false"}, "ann@x.example")
	s.add(l, "bob@x.example")
	if err := s.SetRole(ctx, lists.CLI(), l.ID, addr(t, "mo@x.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	for _, by := range []lists.Actor{lists.Anonymous("192.0.2.1"), as("eve@x.example")} {
		_, err := s.ListByID(ctx, by, l.ID)
		wantKind(t, err, lists.NotFound)
		_, unknown := s.ListByID(ctx, by, l.ID+1)
		if err.Error() != unknown.Error() {
			t.Errorf("%q differs from %q", err, unknown)
		}
		_, err = s.ListByAddress(ctx, by, l.Address())
		wantKind(t, err, lists.NotFound)
		_, err = s.May(ctx, by, l.ID)
		wantKind(t, err, lists.NotFound)
		_, err = s.Members(ctx, by, l.ID, lists.MemberQuery{})
		wantKind(t, err, lists.NotFound)
		_, err = s.Roles(ctx, by, l.ID)
		wantKind(t, err, lists.NotFound)
		wantKind(t, s.Export(ctx, by, l.ID, &strings.Builder{}), lists.NotFound)
		wantKind(t, s.Subscribe(ctx, lists.Subscription{List: l.ID, Mailbox: box(t, "eve@x.example"), From: by}), lists.NotFound)
		if domains, err := s.Domains(ctx, by); err != nil || len(domains) != 0 {
			t.Errorf("domains %v, %v", domains, err)
		}
	}
	for who, want := range map[string]lists.Rights{
		"ann@x.example": {Owner: true}, "mo@x.example": {Moderator: true}, "bob@x.example": {Member: true},
	} {
		if got, err := s.May(ctx, as(who), l.ID); err != nil || got != want {
			t.Errorf("%s: %+v, %v", who, got, err)
		}
	}
}

func TestMembersAreShownToOwnersOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil, "ann@x.example")
	s.add(l, "bob@x.example")
	for _, by := range []lists.Actor{lists.Anonymous(""), as("bob@x.example")} {
		_, err := s.Members(t.Context(), by, l.ID, lists.MemberQuery{})
		wantKind(t, err, lists.Denied)
		wantKind(t, s.Export(t.Context(), by, l.ID, &strings.Builder{}), lists.Denied)
		_, err = s.Import(t.Context(), by, l.ID, strings.NewReader("x@x.example\n"), lists.ImportOptions{})
		wantKind(t, err, lists.Denied)
	}
	if _, err := s.Members(t.Context(), as("ann@x.example"), l.ID, lists.MemberQuery{}); err != nil {
		t.Error(err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	for _, a := range []string{"b@b.example", "a@b.example", "c@a.example", "a@c.example"} {
		s.list(a, nil)
	}
	private := s.list("p@b.example", map[string]string{"advertised": "false"}, "ann@x.example")
	s.add(private, "bob@x.example")
	addresses := func(by lists.Actor, q lists.ListQuery) string {
		t.Helper()
		var all []string
		for {
			page, err := s.Lists(ctx, by, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Lists {
				all = append(all, l.Address().String())
			}
			if !page.More {
				return strings.Join(all, " ")
			}
			q.After = all[len(all)-1]
		}
	}
	for _, tt := range []struct {
		name string
		by   lists.Actor
		q    lists.ListQuery
		want string
	}{
		{"stranger", lists.Anonymous(""), lists.ListQuery{Limit: 1}, "c@a.example a@b.example b@b.example a@c.example"},
		{"admin", lists.CLI(), lists.ListQuery{Limit: 2}, "c@a.example a@b.example b@b.example p@b.example a@c.example"},
		{"member", as("bob@x.example"), lists.ListQuery{Domain: "B.example"}, "a@b.example b@b.example p@b.example"},
		{"mine", as("ann@x.example"), lists.ListQuery{Mine: true}, "p@b.example"},
		{"nobody's", lists.CLI(), lists.ListQuery{Mine: true}, ""},
	} {
		if got := addresses(tt.by, tt.q); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRemoveList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	inner, outer := s.list("inner@a.example", nil), s.list("outer@a.example", nil)
	s.add(outer, "inner@a.example", "bob@x.example")
	if err := s.RemoveList(ctx, lists.CLI(), inner.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.ListByID(ctx, lists.CLI(), inner.ID)
	wantKind(t, err, lists.NotFound)
	wantKind(t, s.RemoveList(ctx, lists.CLI(), inner.ID), lists.NotFound)
	if page, err := s.Members(ctx, lists.CLI(), outer.ID, lists.MemberQuery{}); err != nil || page.Count != 1 {
		t.Errorf("members of the outer list: %+v, %v", page, err)
	}
	again := s.list("inner@a.example", nil)
	if again.ID == inner.ID {
		t.Error("a new list took the old one's row")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "ann@x.example")
	s.list("other@a.example", nil)
	ann := as("ann@x.example")
	for _, own := range []string{"dev@a.example", "other@a.example", "dev-owner@a.example", "postmaster@a.example", "dev-bounces+x@a.example"} {
		wantKind(t, s.SetRole(ctx, ann, l.ID, addr(t, own), lists.RoleOwner), lists.Invalid)
	}
	wantKind(t, s.SetRole(ctx, ann, l.ID, addr(t, "bob@x.example"), "king"), lists.Invalid)
	wantKind(t, s.SetRole(ctx, as("bob@x.example"), l.ID, addr(t, "bob@x.example"), lists.RoleOwner), lists.Denied)
	wantKind(t, s.RemoveRole(ctx, ann, l.ID, addr(t, "ann@x.example"), lists.RoleOwner), lists.Conflict)
	for range 2 { // setting twice is setting once
		if err := s.SetRole(ctx, ann, l.ID, addr(t, "Bob@x.example"), lists.RoleModerator); err != nil {
			t.Fatal(err)
		}
	}
	if actor, action, params := s.audited(); actor != "ann@x.example" || action != "role.set" || params["role"] != "moderator" {
		t.Errorf("audited %s %s %v", actor, action, params)
	}
	wantKind(t, s.SetRole(ctx, as("bob@x.example"), l.ID, addr(t, "eve@x.example"), lists.RoleModerator), lists.Denied)
	roles, err := s.Roles(ctx, as("bob@x.example"), l.ID)
	if err != nil || len(roles) != 2 || roles[1].Address != "Bob@x.example" {
		t.Errorf("roles %v, %v", roles, err)
	}
	if err := s.RemoveRole(ctx, ann, l.ID, addr(t, "BOB@x.example"), lists.RoleModerator); err != nil {
		t.Error(err)
	}
	wantKind(t, s.RemoveRole(ctx, ann, l.ID, addr(t, "bob@x.example"), lists.RoleModerator), lists.NotFound)
	if err := s.RemoveRole(ctx, lists.CLI(), l.ID, addr(t, "ann@x.example"), lists.RoleOwner); err != nil {
		t.Error(err)
	}
}
