package lists_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/lists"
	"muster/lists/dkim"
)

// selectors are those of the keys that sign for a domain, for a service that has remembered none.
func (s *site) selectors(domain string) string {
	s.t.Helper()
	keys, err := lists.New(s.pool, lists.Config{}).SigningKeys(s.t.Context(), domain)
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.Selector())
	}
	return strings.Join(names, " ")
}

func TestDKIMKeysRotateWithOverlap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	if _, err := s.CreateDomain(ctx, lists.CLI(), "lists.example"); err != nil {
		t.Fatal(err)
	}
	both := []dkim.Algorithm{dkim.RSA, dkim.Ed25519}
	first, err := s.CreateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "Lists.Example.", Selector: "One", Algorithms: both})
	if err != nil || len(first) != 2 || first[0].Selector != "one-rsa" || first[1].Selector != "one-ed25519" || first[0].State != lists.KeyPublished {
		t.Fatalf("made %+v, %v", first, err)
	}
	if _, action, params := s.audited(); action != "dkim.create" || params["selector"] != "one-ed25519" || len(params) != 2 {
		t.Errorf("audited %s %v", action, params)
	}
	if got := s.selectors("lists.example"); got != "" {
		t.Errorf("%s sign before their records were seen", got)
	}
	_, err = s.RotateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example"})
	wantKind(t, err, lists.NotFound)
	for _, k := range first {
		if err := s.ActivateDKIMKey(ctx, lists.CLI(), "lists.example", k.Selector); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.selectors("lists.example"); got != "one-rsa one-ed25519" {
		t.Errorf("%s sign", got)
	}
	wantKind(t, s.ActivateDKIMKey(ctx, lists.CLI(), "lists.example", "one-rsa"), lists.Conflict)
	_, err = s.CreateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example"})
	wantKind(t, err, lists.Exists)

	second, err := s.RotateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example"})
	if err != nil || len(second) != 2 {
		t.Fatalf("made %+v, %v", second, err)
	}
	if got := s.selectors("lists.example"); got != "one-rsa one-ed25519" {
		t.Errorf("%s sign before the new records were seen", got)
	}
	_, err = s.RotateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example"})
	wantKind(t, err, lists.Conflict)
	wantKind(t, s.RetireDKIMKey(ctx, lists.CLI(), "lists.example", "one-rsa"), lists.Conflict)
	if err := s.ActivateDKIMKey(ctx, lists.CLI(), "lists.example", second[0].Selector); err != nil {
		t.Fatal(err)
	}
	if got := s.selectors("lists.example"); got != second[0].Selector+" one-ed25519" {
		t.Errorf("%s sign", got)
	}
	wantKind(t, s.RetireDKIMKey(ctx, lists.CLI(), "lists.example", "one-rsa"), lists.Conflict)
	s.exec(`UPDATE dkim_key SET activated = activated - interval '8 days'`)
	if err := s.RetireDKIMKey(ctx, lists.CLI(), "lists.example", "one-rsa"); err != nil {
		t.Fatal(err)
	}
	if n := one[int](s, `SELECT octet_length(private) FROM dkim_key WHERE selector = 'one-rsa'`); n != 0 {
		t.Errorf("%d octets of a retired key are kept", n)
	}
	wantKind(t, s.RetireDKIMKeyNow(ctx, lists.CLI(), "lists.example", "one-rsa"), lists.Conflict)
	if err := s.RetireDKIMKeyNow(ctx, lists.CLI(), "lists.example", "one-ed25519"); err != nil {
		t.Fatal(err)
	}
	if got := s.selectors("lists.example"); got != second[0].Selector {
		t.Errorf("%s sign", got)
	}
	_, err = s.CreateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example", Selector: "one-ed25519", Algorithms: both[1:]})
	wantKind(t, err, lists.Exists)
}

func TestDKIMKeysAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	if _, err := s.CreateDomain(ctx, lists.CLI(), "lists.example"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		keys lists.NewKeys
		want lists.Kind
	}{
		{lists.NewKeys{Domain: "other.example"}, lists.NotFound},
		{lists.NewKeys{Domain: "not a domain"}, lists.Invalid},
		{lists.NewKeys{Domain: "lists.example", Selector: "a.b"}, lists.Invalid},
		{lists.NewKeys{Domain: "lists.example", Selector: "-a"}, lists.Invalid},
		{lists.NewKeys{Domain: "lists.example", Selector: strings.Repeat("a", 51)}, lists.Invalid},
		{lists.NewKeys{Domain: "lists.example", Algorithms: []dkim.Algorithm{"dsa"}}, lists.Invalid},
	} {
		_, err := s.CreateDKIMKeys(ctx, lists.CLI(), tt.keys)
		if lists.KindOf(err) != tt.want {
			t.Errorf("%+v: %v", tt.keys, err)
		}
	}
	_, err := s.CreateDKIMKeys(ctx, as("ann@a.example"), lists.NewKeys{Domain: "lists.example"})
	wantKind(t, err, lists.Denied)
	_, err = s.DKIMKeys(ctx, as("ann@a.example"), "lists.example")
	wantKind(t, err, lists.Denied)
	wantKind(t, s.ActivateDKIMKey(ctx, as("ann@a.example"), "lists.example", "x"), lists.Denied)
	wantKind(t, s.RetireDKIMKeyNow(ctx, lists.CLI(), "lists.example", "x"), lists.NotFound)
}

// TestKeysSignOnceSeen: a record that is not there, another's, or one of several is not it.
func TestKeysSignOnceSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	if _, err := s.CreateDomain(ctx, lists.CLI(), "lists.example"); err != nil {
		t.Fatal(err)
	}
	made, err := s.CreateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example", Selector: "s", Algorithms: []dkim.Algorithm{dkim.Ed25519}})
	if err != nil {
		t.Fatal(err)
	}
	right := made[0].Record
	for _, tt := range []struct {
		records []string
		err     error
		want    int
	}{
		{nil, errors.New("no such domain"), 0},
		{nil, nil, 0},
		{[]string{"v=DKIM1; k=ed25519; p="}, nil, 0},
		{[]string{right, right}, nil, 0},
		{[]string{strings.ReplaceAll(right, "; ", ";")}, nil, 1},
		{[]string{right}, nil, 0},
	} {
		n, err := s.ActivateSeenKeys(ctx, func(_ context.Context, name string) ([]string, error) {
			if name != "s._domainkey.lists.example" {
				t.Errorf("asked for %s", name)
			}
			return tt.records, tt.err
		})
		if err != nil || n != tt.want {
			t.Errorf("%q: %d activated, %v", tt.records, n, err)
		}
	}
	if actor, action, _ := s.audited(); actor != "dns" || action != "dkim.activate" {
		t.Errorf("audited %s by %s", action, actor)
	}
}

// TestSigningKeysAreRemembered, for a minute, and forgotten by the service that changes them.
func TestSigningKeysAreRemembered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	now := time.Now()
	other := lists.New(s.pool, lists.Config{Now: func() time.Time { return now }})
	count := func(of *lists.Service) int {
		keys, err := of.SigningKeys(ctx, "lists.example")
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	if _, err := s.CreateDomain(ctx, lists.CLI(), "lists.example"); err != nil {
		t.Fatal(err)
	}
	if count(s.Service)+count(other) != 0 {
		t.Fatal("keys out of nothing")
	}
	if _, err := s.CreateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: "lists.example", Selector: "s"}); err != nil {
		t.Fatal(err)
	}
	if err := s.ActivateDKIMKey(ctx, lists.CLI(), "lists.example", "s"); err != nil {
		t.Fatal(err)
	}
	if n := count(s.Service); n != 1 {
		t.Errorf("%d keys where they were changed", n)
	}
	if n := count(other); n != 0 {
		t.Errorf("%d keys elsewhere, at once", n)
	}
	now = now.Add(time.Minute)
	if n := count(other); n != 1 {
		t.Errorf("%d keys elsewhere, a minute later", n)
	}
}

// TestDKIMKeysTellNothingPrivate: what services return can be printed and encoded.
func TestDKIMKeysTellNothingPrivate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.CreateDomain(t.Context(), lists.CLI(), "lists.example"); err != nil {
		t.Fatal(err)
	}
	made, err := s.CreateDKIMKeys(t.Context(), lists.CLI(), lists.NewKeys{Domain: "lists.example", Selector: "s"})
	if err != nil {
		t.Fatal(err)
	}
	private := one[string](s, `SELECT translate(encode(private, 'base64'), E'\n', '') FROM dkim_key`)
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{private[100:140], private[len(private)-80 : len(private)-40]} {
		if strings.Contains(string(text)+fmt.Sprintf("%+v", made), piece) {
			t.Error("a piece of the private key is in what is told of it")
		}
	}
	s.exec(`UPDATE dkim_key SET private = 'no key', state = 'active', activated = now()`)
	if _, err := s.SigningKeys(t.Context(), "lists.example"); err == nil || strings.Contains(err.Error(), "no key of") || !strings.Contains(err.Error(), "lists.example") {
		t.Errorf("error %v", err)
	}
}
