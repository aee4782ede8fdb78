package lists_test

import (
	"errors"
	"strings"
	"testing"

	"muster/lists"
)

// wordSite is a site where a text is in order if it says so.
func wordSite(t *testing.T) (*site, lists.List) {
	t.Helper()
	s := newSite(t)
	s.Service = lists.New(s.pool, lists.Config{CheckTemplate: func(kind, language, source string) error {
		if kind == "welcome" && language == "en" && strings.HasPrefix(source, "Subject: ") {
			return nil
		}
		return errors.New("it is not in order")
	}})
	return s, s.list("dev@lists.example", nil, "owner@a.example")
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	s, l := wordSite(t)
	owner := as("owner@a.example")
	own := lists.Template{List: l.ID, Kind: "welcome", Language: "en", Source: "Subject: x\r\n\r\nHi\x00\r\n-- \r\nwe"}
	if err := s.SetTemplate(t.Context(), owner, own); err != nil {
		t.Fatal(err)
	}
	if actor, action, params := s.audited(); actor != "owner@a.example" || action != "template.set" || params["kind"] != "welcome" {
		t.Errorf("audited %s %s %v", actor, action, params)
	}
	own.Source = "Subject: y\n\nHi\n-- \nwe\n"
	if err := s.SetTemplate(t.Context(), owner, own); err != nil {
		t.Fatal(err)
	}
	found, err := s.Templates(t.Context(), owner, lists.Template{List: l.ID})
	if err != nil || len(found) != 1 || found[0].Source != own.Source {
		t.Fatalf("%+v, %v", found, err)
	}
	of := func() (places string) {
		t.Helper()
		found, err := s.TemplatesAt(t.Context(), owner, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			places += strings.TrimPrefix(strings.SplitN(f.Source, "\n", 2)[0], "Subject: ")
		}
		return places
	}
	for _, place := range []lists.Template{{Source: "Subject: site\n\nx"}, {Domain: "Lists.example", Source: "Subject: domain\n\nx"}} {
		place.Kind, place.Language = "welcome", "en"
		if err := s.SetTemplate(t.Context(), lists.CLI(), place); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.AllTemplates(t.Context(), lists.CLI()); err != nil || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if got := of(); got != "y" {
		t.Errorf("of %s", got)
	}
	for _, want := range []string{"domain", "site", ""} {
		gone := lists.Template{List: l.ID, Kind: "welcome", Language: "en"}
		if want == "site" {
			gone.List, gone.Domain = 0, "lists.example"
		} else if want == "" {
			gone.List = 0
		}
		if err := s.RemoveTemplate(t.Context(), lists.CLI(), gone); err != nil {
			t.Fatal(err)
		}
		if got := of(); got != want {
			t.Errorf("of %s, want %s", got, want)
		}
		wantKind(t, s.RemoveTemplate(t.Context(), lists.CLI(), gone), lists.NotFound)
	}
}

// TestTemplatesAreGuarded: owners have their list's, admins the rest, and what cannot be mailed nobody.
func TestTemplatesAreGuarded(t *testing.T) {
	t.Parallel()
	s, l := wordSite(t)
	good := lists.Template{List: l.ID, Kind: "welcome", Language: "en", Source: "Subject: x\n\nHi\n"}
	for _, by := range []lists.Actor{as("member@a.example"), lists.Anonymous("192.0.2.1")} {
		if err := s.SetTemplate(t.Context(), by, good); err == nil {
			t.Errorf("%s sets a text", by.Name)
		}
		if _, err := s.TemplatesAt(t.Context(), by, l.ID); err == nil {
			t.Errorf("%s reads the texts", by.Name)
		}
	}
	owner := as("owner@a.example")
	for _, place := range []lists.Template{{}, {Domain: "lists.example"}} {
		place.Kind, place.Language, place.Source = good.Kind, good.Language, good.Source
		wantKind(t, s.SetTemplate(t.Context(), owner, place), lists.Denied)
		wantKind(t, s.RemoveTemplate(t.Context(), owner, place), lists.Denied)
		_, err := s.Templates(t.Context(), owner, place)
		wantKind(t, err, lists.Denied)
	}
	_, err := s.AllTemplates(t.Context(), owner)
	wantKind(t, err, lists.Denied)
	for _, bad := range []lists.Template{
		{List: l.ID, Kind: "welcome", Language: "en", Source: "x"}, {List: l.ID, Kind: "none", Language: "en", Source: good.Source},
		{List: l.ID, Kind: "signin", Language: "en", Source: good.Source},
	} {
		err := s.SetTemplate(t.Context(), owner, bad)
		wantKind(t, err, lists.Invalid)
	}
	elsewhere := good
	elsewhere.List, elsewhere.Domain = 0, "other.example"
	wantKind(t, s.SetTemplate(t.Context(), lists.CLI(), elsewhere), lists.NotFound)
	unchecked := lists.New(s.pool, lists.Config{})
	wantKind(t, unchecked.SetTemplate(t.Context(), owner, good), lists.Invalid)
}
