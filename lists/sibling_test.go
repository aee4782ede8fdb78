package lists_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"muster/lists"
)

func TestSiblings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dev := s.list("dev@lists.example", nil, "owner@a.example")
	s.list("ann@lists.example", nil)
	secret := s.list("secret@other.example", map[string]string{"advertised": "false"})
	owner := as("owner@a.example")
	set := func(by lists.Actor, value string) (lists.List, error) {
		return s.SetList(t.Context(), by, dev.ID, []lists.Change{{Key: "siblings", Value: value}})
	}
	refused := func(by lists.Actor, value, code, says string) {
		t.Helper()
		var e *lists.Error
		if _, err := set(by, value); !errors.As(err, &e) || e.Kind != lists.Invalid || e.Code != code || e.Field != "siblings" || !strings.Contains(e.Msg, says) {
			t.Errorf("%q: %v", value, err)
		}
	}
	l, err := set(owner, " Ann@LISTS.example;ann@lists.example ")
	if err != nil || l.Siblings != "ann@lists.example" {
		t.Fatalf("%q, %v", l.Siblings, err)
	}
	refused(owner, "ann@lists.example, nobody@lists.example", "setting.siblings.unknown", "nobody@lists.example")
	refused(owner, "what?", "setting.siblings.unknown", "what?")
	refused(owner, "dev@lists.example", "setting.siblings.self", "dev@lists.example")
	refused(owner, "secret@other.example", "setting.siblings.unknown", "secret@other.example")
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprintf("l%d@x.example", i))
	}
	refused(owner, strings.Join(many, ","), "setting.siblings.many", "20")
	if l, err := s.ListByID(t.Context(), owner, dev.ID); err != nil || l.Siblings != "ann@lists.example" {
		t.Errorf("after refusals %q, %v", l.Siblings, err)
	}
	// An admin names a list that the owner may not know of: the owner may leave it there.
	if l, err = set(lists.CLI(), "secret@other.example ann@lists.example"); err != nil || l.Siblings != "ann@lists.example, secret@other.example" {
		t.Fatalf("%q, %v", l.Siblings, err)
	}
	if l, err = set(owner, "secret@other.example"); err != nil || l.Siblings != "secret@other.example" {
		t.Fatalf("%q, %v", l.Siblings, err)
	}
	if err := s.RemoveList(t.Context(), lists.CLI(), secret.ID); err != nil {
		t.Fatal(err)
	}
	s.list("secret@other.example", nil)
	if l, err := s.ListByID(t.Context(), owner, dev.ID); err != nil || l.Siblings != "" {
		t.Errorf("with a new list under the name %q, %v", l.Siblings, err)
	}
	if l, err = set(owner, ""); err != nil || l.Siblings != "" {
		t.Errorf("%q, %v", l.Siblings, err)
	}
}
