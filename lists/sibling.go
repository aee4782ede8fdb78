package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// maxSiblings is how many siblings a list may name: each is looked for when a post is planned.
const maxSiblings = 20

// cleanAddresses makes addresses that commas or white space part the text that is stored: each once,
// a comma and a space between.
func cleanAddresses(text string) string {
	var kept []string
	for _, word := range strings.FieldsFunc(cleanText(text), func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }) {
		if !slices.Contains(kept, word) {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, ", ")
}

func addressesIn(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ", ")
}

// setSiblings stores the siblings that l names, if they are others than before, and writes their
// addresses in l as they are known here.
func (s *Service) setSiblings(ctx context.Context, tx pgx.Tx, by Actor, l *List, before List) error {
	if l.Siblings == before.Siblings {
		return nil
	}
	names := addressesIn(l.Siblings)
	if len(names) > maxSiblings {
		return siblingError("siblings.many", map[string]any{"Max": maxSiblings}, "siblings may be %d lists, not more", maxSiblings)
	}
	ids := make([]int64, 0, len(names))
	for _, name := range names {
		id, err := s.siblingID(ctx, tx, by, name, before)
		if err != nil {
			return err
		}
		if id == l.ID {
			return siblingError("siblings.self", map[string]any{"Address": clip(name)}, "%s is the list itself, and cannot be among its siblings", clip(name))
		}
		ids = append(ids, id)
	}
	if err := replaceSiblings(ctx, tx, l.ID, ids); err != nil {
		return fmt.Errorf("siblings of %s: %w", l.Address(), err)
	}
	stored, err := listByID(ctx, tx, l.ID)
	if err != nil {
		return fmt.Errorf("list %s: %w", l.Address(), err)
	}
	l.Siblings = stored.Siblings
	return nil
}

// siblingID finds the list that a name in the setting stands for. Of lists that the actor may not know
// of only those can be named that are named already, by somebody who may.
func (s *Service) siblingID(ctx context.Context, tx pgx.Tx, by Actor, name string, before List) (int64, error) {
	unknown := siblingError("siblings.unknown", map[string]any{"Address": clip(name)}, "there is no list %s here that could be a sibling", clip(name))
	a, err := s.address(name)
	if err != nil {
		return 0, unknown
	}
	id, err := listIDByAddress(ctx, tx, smtp.LocalKey(a.Local), a.DomainKey())
	if noRows(err) {
		return 0, unknown
	}
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", a, err)
	}
	if slices.Contains(addressesIn(before.Siblings), name) {
		return id, nil
	}
	_, _, err = s.see(ctx, tx, by, id)
	if KindOf(err) == NotFound {
		return 0, unknown
	}
	return id, err
}

// address reads an address of this site, whose domain may be left out.
func (s *Service) address(text string) (smtp.Address, error) {
	if !strings.Contains(text, "@") && s.cfg.DefaultDomain != "" {
		text += "@" + s.cfg.DefaultDomain
	}
	return smtp.ParseAddress(text)
}

func siblingError(code string, params map[string]any, format string, args ...any) *Error {
	e := Errorf(Invalid, "setting."+code, format, args...)
	e.Field, e.Params = "siblings", params
	return e
}
