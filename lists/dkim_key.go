package lists

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists/dkim"
)

// DKIMKey is what may be told of a key: everything but the key.
type DKIMKey struct {
	ID        int64
	Domain    string
	Selector  string
	Algorithm string
	State     string
	Record    string // text of the TXT record
	Created   time.Time
	Activated *time.Time
	Retired   *time.Time
	Signs     bool // of its algorithm it is the one that signs
}

// States of a key. A published key is made and waits for its record to be seen in the DNS; an active
// one signs until another does, and then is kept for the sake of what it signed.
const (
	KeyPublished = "published"
	KeyActive    = "active"
	KeyRetired   = "retired"
)

// NewKeys is what keys are to be made.
type NewKeys struct {
	Domain     string
	Selector   string           // empty: the day
	Algorithms []dkim.Algorithm // none: for a first key RSA, else those there are
}

// newDKIMKey is a key made and not stored yet.
type newDKIMKey struct {
	selector  string
	algorithm dkim.Algorithm
	private   []byte
	record    string
}

// DKIMKeys are the keys of a domain, retired ones too.
func (s *Service) DKIMKeys(ctx context.Context, by Actor, domain string) ([]DKIMKey, error) {
	if err := requireAdmin(by); err != nil {
		return nil, err
	}
	name, err := domainName(domain)
	if err != nil {
		return nil, err
	}
	id, err := servedDomain(ctx, s.pool, name)
	if err != nil {
		return nil, domainError(err, name)
	}
	keys, err := selectDKIMKeys(ctx, s.pool, id)
	if err != nil {
		return nil, fmt.Errorf("DKIM keys of %s: %w", name, err)
	}
	return keys, nil
}

// CreateDKIMKeys makes the first keys of a domain, of the given algorithms.
func (s *Service) CreateDKIMKeys(ctx context.Context, by Actor, n NewKeys) ([]DKIMKey, error) {
	if len(n.Algorithms) == 0 {
		n.Algorithms = []dkim.Algorithm{dkim.RSA}
	}
	return s.makeKeys(ctx, by, n, func(have []DKIMKey) error {
		for _, k := range have {
			if k.State != KeyRetired && slices.Contains(n.Algorithms, dkim.Algorithm(k.Algorithm)) {
				return Errorf(Exists, "dkim.exists", "%s has the %s key %s already; rotate makes the one after it", k.Domain, k.Algorithm, k.Selector)
			}
		}
		return nil
	})
}

// RotateDKIMKeys makes the keys that are to follow those that sign. They sign once they are active.
func (s *Service) RotateDKIMKeys(ctx context.Context, by Actor, n NewKeys) ([]DKIMKey, error) {
	have, err := s.DKIMKeys(ctx, by, n.Domain)
	if err != nil {
		return nil, err
	}
	n.Algorithms = nil
	for _, k := range have {
		if k.Signs {
			n.Algorithms = append(n.Algorithms, dkim.Algorithm(k.Algorithm))
		}
	}
	if len(n.Algorithms) == 0 {
		return nil, Errorf(NotFound, "dkim.none", "no key signs for %s, so none can be rotated; create makes the first", clip(n.Domain))
	}
	return s.makeKeys(ctx, by, n, func(have []DKIMKey) error {
		for _, k := range have {
			if k.State == KeyPublished && slices.Contains(n.Algorithms, dkim.Algorithm(k.Algorithm)) {
				return Errorf(Conflict, "dkim.waits", "the key %s of %s waits for its record to be seen; activate or retire it first", k.Selector, k.Domain)
			}
		}
		return nil
	})
}

// makeKeys makes keys, if what the domain has allows it.
func (s *Service) makeKeys(ctx context.Context, by Actor, n NewKeys, allowed func(have []DKIMKey) error) (made []DKIMKey, err error) {
	if err := requireAdmin(by); err != nil {
		return nil, err
	}
	private, err := generateKeys(n.Algorithms)
	if err != nil {
		return nil, err
	}
	err = s.onDomain(ctx, n.Domain, func(tx pgx.Tx, domain int64, name string) error {
		have, err := selectDKIMKeys(ctx, tx, domain)
		if err != nil {
			return fmt.Errorf("DKIM keys of %s: %w", name, err)
		}
		if err := allowed(have); err != nil {
			return err
		}
		selectors, err := newSelectors(n, have, s.cfg.Now())
		if err != nil {
			return err
		}
		for i, a := range n.Algorithms {
			if err := storeKey(ctx, tx, by, storing{domain, name, selectors[i], a, private[i]}); err != nil {
				return err
			}
		}
		all, err := selectDKIMKeys(ctx, tx, domain)
		made = all[max(0, len(all)-len(n.Algorithms)):]
		return err
	})
	return made, err
}

// storing is a key on its way into the database.
type storing struct {
	id        int64
	domain    string
	selector  string
	algorithm dkim.Algorithm
	private   []byte
}

func storeKey(ctx context.Context, tx pgx.Tx, by Actor, k storing) error {
	key, err := dkim.ParseKey(k.domain, k.selector, k.private)
	if err != nil {
		return err
	}
	record, err := key.Record()
	if err != nil {
		return err
	}
	if err := insertDKIMKey(ctx, tx, k.id, newDKIMKey{k.selector, k.algorithm, k.private, record}); err != nil {
		return fmt.Errorf("key %s of %s: %w", k.selector, k.domain, err)
	}
	return auditKey(ctx, tx, by, "dkim.create", k.domain, k.selector)
}

func auditKey(ctx context.Context, tx pgx.Tx, by Actor, action, domain, selector string) error {
	return audit(ctx, tx, by, action, 0, map[string]any{"domain": domain, "selector": selector})
}

// generateKeys takes its time and so comes before the transaction.
func generateKeys(algorithms []dkim.Algorithm) ([][]byte, error) {
	private := make([][]byte, len(algorithms))
	for i, a := range algorithms {
		var err error
		if private[i], err = dkim.Generate(a); err != nil {
			e := Errorf(Invalid, "dkim.algorithm", "%q is no algorithm that DKIM keys are made for; there are rsa and ed25519", clip(string(a)))
			e.Field = "algorithm"
			return nil, e
		}
	}
	return private, nil
}

// newSelectors names new keys: as was asked, or by the day, with a number where the day has some.
// Of two algorithms, each has its own: one name in the DNS is one key.
func newSelectors(n NewKeys, have []DKIMKey, now time.Time) ([]string, error) {
	base := strings.ToLower(n.Selector)
	if base == "" {
		base = "m" + now.UTC().Format("20060102")
	} else if !isSelector(base) {
		e := Errorf(Invalid, "dkim.selector", "%q is no selector: letters, digits and hyphens, at most 50", clip(n.Selector))
		e.Field = "selector"
		return nil, e
	}
	for try := 1; ; try++ {
		names := make([]string, len(n.Algorithms))
		taken := ""
		for i, a := range n.Algorithms {
			names[i] = base
			if try > 1 {
				names[i] += "-" + strconv.Itoa(try)
			}
			if len(n.Algorithms) > 1 {
				names[i] += "-" + string(a)
			}
			if slices.ContainsFunc(have, func(k DKIMKey) bool { return k.Selector == names[i] }) {
				taken = names[i]
			}
		}
		if taken == "" {
			return names, nil
		}
		if n.Selector != "" {
			e := Errorf(Exists, "dkim.taken", "%s has or had a key %s; choose another selector, since its record may be remembered", clip(n.Domain), taken)
			e.Field = "selector"
			return nil, e
		}
	}
}

// maxSelector leaves room in a label for what tells algorithms apart.
const maxSelector = 50

func isSelector(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) <= maxSelector && !strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
}

// onDomain runs a change of a domain's keys, one at a time.
func (s *Service) onDomain(ctx context.Context, domain string, do func(tx pgx.Tx, id int64, name string) error) error {
	name, err := domainName(domain)
	if err != nil {
		return err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		id, err := lockDomain(ctx, tx, name)
		if err != nil {
			return domainError(err, name)
		}
		return do(tx, id, name)
	})
	s.signing.forget()
	return err
}

func domainError(err error, name string) error {
	if noRows(err) {
		return Errorf(NotFound, "domain.unknown", "the domain %s is not served here", name)
	}
	return fmt.Errorf("domain %s: %w", name, err)
}
