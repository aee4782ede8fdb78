package lists_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"muster/lists"
)

const goodPassword = "correct horse battery"

func (s *site) person(address string, admin bool) lists.Person {
	s.t.Helper()
	p, err := s.CreatePerson(s.t.Context(), lists.CLI(), lists.NewPerson{Address: addr(s.t, address), Name: "A Person", Admin: admin, Password: goodPassword})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func TestCreatePerson(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.list("dev@a.example", nil)
	p := s.person("Ann@x.example", true)
	if p.Address != "Ann@x.example" || !p.Admin || !p.Password || p.Name != "A Person" {
		t.Errorf("%+v", p)
	}
	for _, tt := range []struct {
		by   lists.Actor
		n    lists.NewPerson
		want lists.Kind
	}{
		{as("ann@x.example"), lists.NewPerson{Address: addr(t, "b@x.example")}, lists.Denied},
		{lists.CLI(), lists.NewPerson{Address: addr(t, "ANN@x.example")}, lists.Exists},
		{lists.CLI(), lists.NewPerson{Address: addr(t, "dev@a.example")}, lists.Invalid},
		{lists.CLI(), lists.NewPerson{Address: addr(t, "b@x.example"), Password: "short"}, lists.Invalid},
		{lists.CLI(), lists.NewPerson{Address: addr(t, "b@x.example"), Password: strings.Repeat("x", 2000)}, lists.Invalid},
	} {
		_, err := s.CreatePerson(ctx, tt.by, tt.n)
		wantKind(t, err, tt.want)
	}
	if hash := one[string](s, `SELECT password FROM person`); !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored %q", hash)
	}
	s.person("bob@x.example", false)
	all, err := s.Persons(ctx, lists.CLI(), 0, 50)
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if rest, err := s.Persons(ctx, lists.CLI(), all[0].ID, 50); err != nil || len(rest) != 1 || rest[0].Address != "bob@x.example" {
		t.Errorf("%+v, %v", rest, err)
	}
	_, err = s.Persons(ctx, as("ann@x.example"), 0, 50)
	wantKind(t, err, lists.Denied)
}

func TestSignInByPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.person("ann@x.example", true)
	token, p, err := s.SignIn(ctx, "ANN@x.example", goodPassword, "192.0.2.1")
	if err != nil || p.Address != "ann@x.example" {
		t.Fatalf("%+v, %v", p, err)
	}
	who, p, err := s.SessionActor(ctx, token, "192.0.2.2")
	if err != nil || !who.Admin || who.Person != p.ID || !slices.Equal(who.Keys, []string{"ann@x.example"}) || who.Name != "ann@x.example" || who.Client != "192.0.2.2" {
		t.Errorf("%+v, %+v, %v", who, p, err)
	}
	second, _, err := s.SignIn(ctx, "ann@x.example", goodPassword, "192.0.2.3")
	if err != nil || second == token {
		t.Errorf("a token is used again, %v", err)
	}
	if n := one[int](s, `SELECT count(*) FROM session WHERE token_hash = convert_to($1, 'UTF8') OR client LIKE '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token itself is stored")
	}
	sessions, err := s.Sessions(ctx, who)
	if err != nil || len(sessions) != 2 || sessions[1].Client != "192.0.2.2" {
		t.Errorf("%+v, %v", sessions, err)
	}
	wantKind(t, s.EndSession(ctx, lists.Actor{Person: who.Person + 1}, sessions[0].ID), lists.NotFound)
	if err := s.EndSession(ctx, who, sessions[0].ID); err != nil {
		t.Error(err)
	}
	_, _, err = s.SessionActor(ctx, second, "")
	wantKind(t, err, lists.Expired)
	if err := s.SignOut(ctx, token); err != nil {
		t.Error(err)
	}
	_, _, err = s.SessionActor(ctx, token, "")
	wantKind(t, err, lists.Expired)
}

func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.person("ann@x.example", false)
	if _, err := s.CreatePerson(ctx, lists.CLI(), lists.NewPerson{Address: addr(t, "mail@x.example")}); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, user := range []string{"ann@x.example", "mail@x.example", "nobody@x.example", "not an address", ""} {
		for _, password := range []string{"wrong password", "", strings.Repeat("x", 5000)} {
			_, _, err := s.SignIn(ctx, user, password, "")
			wantKind(t, err, lists.Denied)
			said = append(said, err.Error())
			_, err = s.Authenticate(ctx, user, password, "")
			wantKind(t, err, lists.Denied)
			s.exec(`DELETE FROM rate`)
		}
	}
	for _, words := range said {
		if words != said[0] {
			t.Errorf("%q differs from %q", words, said[0])
		}
	}
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.person("ann@x.example", false)
	fail := func(user, client string) error {
		_, _, err := s.SignIn(ctx, user, "wrong password", client)
		return err
	}
	for i := range 10 {
		wantKind(t, fail("ann@x.example", fmt.Sprintf("192.0.2.%d", i)), lists.Denied)
	}
	wantKind(t, fail("ANN@x.example", "198.51.100.1"), lists.Limited)
	_, _, err := s.SignIn(ctx, "ann@x.example", goodPassword, "198.51.100.1")
	wantKind(t, err, lists.Limited)
	s.exec(`UPDATE rate SET until = now()`)
	if _, _, err := s.SignIn(ctx, "ann@x.example", goodPassword, "198.51.100.1"); err != nil {
		t.Error(err)
	}
	s.exec(`UPDATE rate SET n = 50, until = now() + interval '1 hour' WHERE key = 'signin-client:198.51.100.1'`)
	wantKind(t, fail("other@x.example", "198.51.100.1:5555"), lists.Limited)
}

func TestRightPasswordForgivesWrongOnes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.person("ann@x.example", false)
	for round := range 3 {
		for range 9 {
			_, _, err := s.SignIn(t.Context(), "ann@x.example", "wrong password", "")
			wantKind(t, err, lists.Denied)
		}
		if _, err := s.Authenticate(t.Context(), "ann@x.example", goodPassword, ""); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

func TestSignInByMail(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	l := s.list("dev@a.example", nil, "Owner@x.example")
	s.add(l, "member@x.example")
	s.person("ann@x.example", false)
	for _, who := range []string{"nobody@x.example", "dev@a.example", "dev-owner@a.example", "postmaster@a.example"} {
		if err := s.RequestSignIn(ctx, addr(t, who), "de", "192.0.2.1"); err != nil {
			t.Error(err)
		}
	}
	s.noticed()
	for _, who := range []string{"ann@x.example", "Owner@x.example", "member@x.example"} {
		if err := s.RequestSignIn(ctx, addr(t, who), "de", "192.0.2.1"); err != nil {
			t.Error(err)
		}
		mails := s.noticed("signin " + who)
		token := tokenOf(t, mails[0])
		if mails[0].Language != "de" || mails[0].Params["URL"] != "/signin/"+token {
			t.Errorf("%+v", mails[0])
		}
		if p, err := s.Pending(ctx, token, ""); err != nil || p.Purpose != lists.PurposeSignIn || p.Address != who {
			t.Errorf("%+v, %v", p, err)
		}
		_, err := s.Confirm(ctx, token, "")
		wantKind(t, err, lists.Expired)
		session, p, err := s.SignInByToken(ctx, token, "192.0.2.1")
		if err != nil || p.Address != who || p.Admin {
			t.Errorf("%+v, %v", p, err)
		}
		if by, _, err := s.SessionActor(ctx, session, ""); err != nil || !by.Has(strings.ToLower(who)) {
			t.Errorf("%+v, %v", by, err)
		}
		_, _, err = s.SignInByToken(ctx, token, "192.0.2.1")
		wantKind(t, err, lists.Conflict)
	}
	if n := one[int](s, `SELECT count(*) FROM person`); n != 3 {
		t.Errorf("%d persons", n)
	}
}

func TestSignInLinksAreLimitedAndExpire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.person("ann@x.example", false)
	for i := range 9 {
		if err := s.RequestSignIn(ctx, addr(t, "ann@x.example"), "", fmt.Sprintf("192.0.2.%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	mails := s.notices()
	if len(mails) != 5 {
		t.Errorf("%d mails to one address", len(mails))
	}
	s.exec(`UPDATE token SET expires = now()`)
	_, _, err := s.SignInByToken(ctx, tokenOf(t, mails[0]), "")
	wantKind(t, err, lists.Expired)
	for i := 0; err == nil || lists.KindOf(err) == lists.Expired; i++ {
		if i > 100 {
			t.Fatal("one client may ask for any number of links")
		}
		err = s.RequestSignIn(ctx, addr(t, fmt.Sprintf("u%d@x.example", i)), "", "198.51.100.9")
	}
	wantKind(t, err, lists.Limited)
}

func TestSetPasswordEndsAllSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	p := s.person("ann@x.example", false)
	token, _, err := s.SignIn(ctx, "ann@x.example", goodPassword, "")
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.SetPassword(ctx, lists.Actor{Person: p.ID + 1}, p.ID, "another password"), lists.Denied)
	wantKind(t, s.SetPassword(ctx, lists.Anonymous(""), 0, "another password"), lists.Denied)
	wantKind(t, s.SetPassword(ctx, lists.Actor{Person: p.ID}, p.ID, "short"), lists.Invalid)
	wantKind(t, s.SetPassword(ctx, lists.CLI(), p.ID+1, "another password"), lists.NotFound)
	if err := s.SetPassword(ctx, lists.Actor{Person: p.ID}, p.ID, "another password"); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.SessionActor(ctx, token, "")
	wantKind(t, err, lists.Expired)
	_, _, err = s.SignIn(ctx, "ann@x.example", goodPassword, "")
	wantKind(t, err, lists.Denied)
	if _, _, err = s.SignIn(ctx, "ann@x.example", "another password", ""); err != nil {
		t.Error(err)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.person("ann@x.example", false)
	for _, age := range []string{`UPDATE session SET seen = now() - interval '31 days'`, `UPDATE session SET made = now() - interval '181 days'`} {
		token, _, err := s.SignIn(ctx, "ann@x.example", goodPassword, "")
		if err != nil {
			t.Fatal(err)
		}
		s.exec(age)
		_, _, err = s.SessionActor(ctx, token, "")
		wantKind(t, err, lists.Expired)
	}
	for _, none := range []string{"", "x", strings.Repeat("a", 26), strings.Repeat("a", 1<<16), "\x00"} {
		_, _, err := s.SessionActor(ctx, none, "")
		wantKind(t, err, lists.Expired)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	s.person("ann@x.example", false)
	l := s.list("dev@a.example", nil)
	if _, _, err := s.SignIn(ctx, "ann@x.example", goodPassword, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	s.subscribe(l, box(t, "bob@x.example"), "192.0.2.1")
	if n, err := s.Prune(ctx); err != nil || n != 0 {
		t.Errorf("%d live rows went, %v", n, err)
	}
	s.exec(`UPDATE session SET seen = now() - interval '31 days'`)
	s.exec(`UPDATE token SET expires = now() - interval '1 day'`)
	s.exec(`UPDATE rate SET until = now() - interval '1 day'`)
	s.exec(`INSERT INTO rate SELECT 'x' || i, 1, now() - interval '1 day' FROM generate_series(1, 2500) i`)
	if _, err := s.Prune(ctx); err != nil {
		t.Error(err)
	}
	if left := one[int](s, `SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM token) + (SELECT count(*) FROM rate)`); left != 0 {
		t.Errorf("%d rows left", left)
	}
}
