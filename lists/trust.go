package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Trusted is an address whose posts a list does not hold, member or not.
type Trusted struct {
	Key     string
	Address string
	Since   time.Time
	By      string // who said so
}

// trust lets later posts of a post's author through.
func (s *Service) trust(ctx context.Context, tx pgx.Tx, by Actor, l List, p Post) error {
	a, err := smtp.ParseAddress(p.Author)
	if err != nil {
		return Errorf(Invalid, "trust.author", "nobody can be trusted for that post: it does not say who its author is")
	}
	return s.trustAddress(ctx, tx, by, l, a)
}

func (s *Service) trustAddress(ctx context.Context, tx pgx.Tx, by Actor, l List, a smtp.Address) error {
	if err := insertTrusted(ctx, tx, l.ID, Trusted{Key: a.Key(), Address: a.String(), By: by.auditName()}); err != nil {
		return fmt.Errorf("trust of %s on %s: %w", a, l.Address(), err)
	}
	return audit(ctx, tx, by, "trust.add", l.ID, map[string]any{"address": a.String()})
}

// Trusted are the addresses that a list trusts, by key, for those who moderate it. After is the key of the
// last one seen.
func (s *Service) Trusted(ctx context.Context, by Actor, listID int64, after string, limit int) ([]Trusted, error) {
	l, err := s.moderatesList(ctx, s.pool, by, listID)
	if err != nil {
		return nil, err
	}
	found, err := selectTrusted(ctx, s.pool, listID, after, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("whom %s trusts: %w", l.Address(), err)
	}
	return found, nil
}

// Trust lets the posts of an address through, for those who moderate the list.
func (s *Service) Trust(ctx context.Context, by Actor, listID int64, a smtp.Address) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		l, err := s.moderatesList(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		return s.trustAddress(ctx, tx, by, l, a)
	})
}

// Distrust ends that.
func (s *Service) Distrust(ctx context.Context, by Actor, listID int64, a smtp.Address) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		l, err := s.moderatesList(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		found, err := deleteTrusted(ctx, tx, listID, a.Key())
		if err != nil {
			return fmt.Errorf("trust of %s on %s: %w", a, l.Address(), err)
		}
		if !found {
			e := Errorf(NotFound, "trust.unknown", "%s is not trusted by %s", a, l.Address())
			e.Params = map[string]any{"Address": a.String()}
			return e
		}
		return audit(ctx, tx, by, "trust.remove", listID, map[string]any{"address": a.String()})
	})
}

// moderatesList is see for what those may do who moderate, where the list itself is no secret.
func (s *Service) moderatesList(ctx context.Context, q querier, by Actor, listID int64) (List, error) {
	l, rights, err := s.see(ctx, q, by, listID)
	if err != nil {
		return List{}, err
	}
	if !rights.Moderates() {
		return List{}, deniedModerate(l)
	}
	return l, nil
}
