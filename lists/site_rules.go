package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
)

// siteRulesLife is how long a node may go on with what it read of the site's rules: they are asked at each
// post, and change hardly ever.
const siteRulesLife = 5 * time.Second

// siteRules is what holds for all lists, as it was read.
type siteRules struct {
	headers []verdict.HeaderRule
	bans    bool // there are bans of the site
	at      time.Time
}

// siteRules reads what holds for all lists, where that is some seconds ago.
func (s *Service) siteRules(ctx context.Context) (*siteRules, error) {
	if last := s.ruled.Load(); last != nil && s.cfg.Now().Sub(last.at) < siteRulesLife {
		return last, nil
	}
	row, err := selectSite(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("rules of the site: %w", err)
	}
	options, err := row.Rules.options()
	if err != nil {
		return nil, fmt.Errorf("site: %w", err)
	}
	found := &siteRules{headers: options.HeaderRules, bans: row.Bans, at: s.cfg.Now()}
	s.ruled.Store(found)
	return found, nil
}

// Site is what holds for all lists, for administrators: the values of SiteSettings by key.
func (s *Service) Site(ctx context.Context, by Actor) (get func(key string) string, err error) {
	if err := requireAdmin(by); err != nil {
		return nil, err
	}
	row, err := selectSite(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("rules of the site: %w", err)
	}
	return row.Rules.getChosen, nil
}

// SetSite changes what holds for all lists, all or nothing. Other nodes know of it within seconds.
func (s *Service) SetSite(ctx context.Context, by Actor, changes []Change) error {
	if err := requireAdmin(by); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		before, err := lockSite(ctx, tx)
		if err != nil {
			return fmt.Errorf("rules of the site: %w", err)
		}
		next := before
		for _, c := range changes {
			value, err := checkChange(SiteSettings(), c)
			if err != nil {
				return err
			}
			next = next.putChosen(c.Key, value)
		}
		if err := updateSite(ctx, tx, next); err != nil {
			return fmt.Errorf("rules of the site: %w", err)
		}
		return audit(ctx, tx, by, "site.set", 0, changed(changes, before.getChosen))
	})
	if err == nil {
		s.ruled.Store(nil)
	}
	return err
}
