package lists

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Canned is a text of a list for posts and requests that are turned down, by its name.
type Canned struct {
	Name string
	Text string
}

// maxCanned bounds the answers of a list, which are shown all together; maxCannedName is in octets.
const (
	maxCanned     = 100
	maxCannedName = 60
)

// CannedAnswers are the answers of a list, by name, for those who moderate it.
func (s *Service) CannedAnswers(ctx context.Context, by Actor, listID int64) ([]Canned, error) {
	l, err := s.moderatesList(ctx, s.pool, by, listID)
	if err != nil {
		return nil, err
	}
	found, err := selectCanned(ctx, s.pool, listID)
	if err != nil {
		return nil, fmt.Errorf("answers of %s: %w", l.Address(), err)
	}
	return found, nil
}

// SetCanned writes an answer, or the one of that name anew.
func (s *Service) SetCanned(ctx context.Context, by Actor, listID int64, c Canned) error {
	c = Canned{Name: strings.ToLower(smtp.CleanName(c.Name)), Text: cleanText(c.Text)}
	if err := c.check(); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockList(ctx, tx, listID); err != nil {
			return err
		}
		l, err := s.moderatesList(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		made, err := upsertCanned(ctx, tx, listID, c, maxCanned)
		if err != nil {
			return fmt.Errorf("answer %s of %s: %w", c.Name, l.Address(), err)
		}
		if !made {
			return Errorf(Limited, "canned.many", "the list has %d answers already; remove one first", maxCanned)
		}
		return audit(ctx, tx, by, "answer.set", listID, map[string]any{"name": c.Name})
	})
}

func (c Canned) check() *Error {
	var e *Error
	switch {
	case c.Name == "" || len(c.Name) > maxCannedName:
		e = Errorf(Invalid, "canned.name", "an answer has a name of at most %d octets", maxCannedName)
		e.Field = "answer"
	case c.Text == "" || len(c.Text) > maxDescription:
		e = Errorf(Invalid, "canned.text", "an answer has a text of at most %d octets", maxDescription)
		e.Field = "text"
	}
	return e
}

// RemoveCanned removes an answer.
func (s *Service) RemoveCanned(ctx context.Context, by Actor, listID int64, name string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		l, err := s.moderatesList(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		found, err := deleteCanned(ctx, tx, listID, strings.ToLower(name))
		if err != nil {
			return fmt.Errorf("answer %s of %s: %w", clip(name), l.Address(), err)
		}
		if !found {
			return noSuchAnswer(name)
		}
		return audit(ctx, tx, by, "answer.remove", listID, map[string]any{"name": name})
	})
}

// CannedText is the text of an answer, for those who moderate the list.
func (s *Service) CannedText(ctx context.Context, by Actor, listID int64, name string) (string, error) {
	all, err := s.CannedAnswers(ctx, by, listID)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if strings.EqualFold(c.Name, name) {
			return c.Text, nil
		}
	}
	return "", noSuchAnswer(name)
}

// maxCannedTold is how many answers are named in a mail.
const maxCannedTold = 20

func cannedNames(all []Canned) string {
	var names []string
	for _, c := range all[:min(len(all), maxCannedTold)] {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func noSuchAnswer(name string) *Error {
	e := Errorf(NotFound, "canned.unknown", "the list has no answer %q", clip(name))
	e.Params = map[string]any{"Name": clip(name)}
	return e
}
