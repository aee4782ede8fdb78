package lists

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists/dkim"
)

// keepKeys is how long a key is kept after another has begun to sign: longer than a copy that was
// composed with it may wait to be delivered, and its reader to verify it.
const keepKeys = 7 * 24 * time.Hour

// ActivateDKIMKey has a key sign from now on, in place of the one of its algorithm before it. Whoever
// asks knows that its record is in the DNS.
func (s *Service) ActivateDKIMKey(ctx context.Context, by Actor, domain, selector string) error {
	return s.changeKey(ctx, by, keyChange{domain, selector, "dkim.activate"}, func(tx pgx.Tx, k DKIMKey, _ []DKIMKey) error {
		ok, err := activateDKIMKey(ctx, tx, k.ID)
		if err == nil && !ok {
			return Errorf(Conflict, "dkim.state", "the key %s of %s is %s already", k.Selector, k.Domain, k.State)
		}
		return err
	})
}

// RetireDKIMKey throws away a key that another has followed for a week. Its record may then leave
// the DNS.
func (s *Service) RetireDKIMKey(ctx context.Context, by Actor, domain, selector string) error {
	return s.changeKey(ctx, by, keyChange{domain, selector, "dkim.retire"}, func(tx pgx.Tx, k DKIMKey, all []DKIMKey) error {
		if err := s.mayRetire(k, all); err != nil {
			return err
		}
		return retireDKIMKey(ctx, tx, k.ID)
	})
}

// RetireDKIMKeyNow throws a key away whatever it is still needed for, as when others know it.
func (s *Service) RetireDKIMKeyNow(ctx context.Context, by Actor, domain, selector string) error {
	return s.changeKey(ctx, by, keyChange{domain, selector, "dkim.retire"}, func(tx pgx.Tx, k DKIMKey, _ []DKIMKey) error {
		return retireDKIMKey(ctx, tx, k.ID)
	})
}

// mayRetire says why a key is still needed.
func (s *Service) mayRetire(k DKIMKey, all []DKIMKey) error {
	if k.State == KeyPublished {
		return nil
	}
	if k.Signs {
		return Errorf(Conflict, "dkim.signs", "the key %s signs for %s; rotate it first, or retire it --now and have nothing signed with %s",
			k.Selector, k.Domain, k.Algorithm)
	}
	i := slices.IndexFunc(all, func(other DKIMKey) bool { return other.Signs && other.Algorithm == k.Algorithm })
	if i < 0 {
		return nil
	}
	if until := all[i].Activated.Add(keepKeys); until.After(s.cfg.Now()) {
		return Errorf(Conflict, "dkim.young", "copies signed with the key %s of %s may be under way until %s; wait, or retire it --now",
			k.Selector, k.Domain, until.UTC().Format(time.DateOnly))
	}
	return nil
}

// keyChange is what happens to which key.
type keyChange struct{ domain, selector, action string }

func (s *Service) changeKey(ctx context.Context, by Actor, c keyChange, do func(tx pgx.Tx, k DKIMKey, all []DKIMKey) error) error {
	if err := requireAdmin(by); err != nil {
		return err
	}
	return s.onDomain(ctx, c.domain, func(tx pgx.Tx, id int64, name string) error {
		all, err := selectDKIMKeys(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("DKIM keys of %s: %w", name, err)
		}
		i := slices.IndexFunc(all, func(k DKIMKey) bool { return k.Selector == c.selector })
		if i < 0 {
			return Errorf(NotFound, "dkim.unknown", "%s has no key %q", name, clip(c.selector))
		}
		if all[i].State == KeyRetired {
			return Errorf(Conflict, "dkim.retired", "the key %s of %s was retired and is no more; create or rotate makes another", c.selector, name)
		}
		if err := do(tx, all[i], all); err != nil {
			return err
		}
		return auditKey(ctx, tx, by, c.action, name, c.selector)
	})
}

// TXTFunc looks up the TXT records of a name, each with its strings put together.
type TXTFunc func(ctx context.Context, name string) ([]string, error)

// ActivateSeenKeys activates the published keys whose record is in the DNS, and says how many that
// were. Whoever keeps the clock calls it. A record that cannot be looked up is not there yet.
func (s *Service) ActivateSeenKeys(ctx context.Context, lookup TXTFunc) (int, error) {
	waiting, err := selectPublishedKeys(ctx, s.pool)
	if err != nil {
		return 0, fmt.Errorf("published DKIM keys: %w", err)
	}
	activated := 0
	for _, k := range waiting {
		found, err := lookup(ctx, dkim.RecordName(k.Selector, k.Domain))
		if ctx.Err() != nil {
			return activated, ctx.Err()
		}
		// RFC 6376 §3.6.2.2: with several records nobody can tell which one is meant.
		if err != nil || len(found) != 1 || !dkim.SameKey(found[0], k.Record) {
			s.log.Debug("DKIM record not seen", "domain", k.Domain, "selector", k.Selector, "error", err)
			continue
		}
		err = s.ActivateDKIMKey(ctx, Actor{Admin: true, Name: "dns"}, k.Domain, k.Selector)
		if KindOf(err) == Conflict || KindOf(err) == NotFound { // somebody was faster
			continue
		}
		if err != nil {
			return activated, err
		}
		s.log.Info("DKIM record seen, the key signs now", "domain", k.Domain, "selector", k.Selector)
		activated++
	}
	return activated, nil
}
