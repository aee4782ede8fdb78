package lists

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// CreateDomain makes a domain served here.
func (s *Service) CreateDomain(ctx context.Context, by Actor, name string) (Domain, error) {
	if err := requireAdmin(by); err != nil {
		return Domain{}, err
	}
	key, err := domainName(name)
	if err != nil {
		return Domain{}, err
	}
	var d Domain
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		d, err = insertDomain(ctx, tx, key)
		if isUnique(err) {
			return Errorf(Exists, "domain.exists", "the domain %s is here already", key)
		}
		if err != nil {
			return fmt.Errorf("domain %s: %w", key, err)
		}
		return audit(ctx, tx, by, "domain.create", 0, map[string]any{"domain": key})
	})
	return d, err
}

// Domains are the domains served here that the actor may know of: for an admin all, for others
// those with a list they may see.
func (s *Service) Domains(ctx context.Context, by Actor) ([]Domain, error) {
	found, err := selectDomains(ctx, s.pool, by)
	if err != nil {
		return nil, fmt.Errorf("domains: %w", err)
	}
	return found, nil
}

// domainName checks the name of a domain to be served and returns its key.
func domainName(name string) (string, error) {
	key, err := smtp.DomainKey(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if err != nil {
		e := Errorf(Invalid, "domain.name", "%q is no name of a domain", clip(name))
		e.Field = "domain"
		return "", e
	}
	if len(key) > maxDomain {
		e := Errorf(Invalid, "domain.long", "the domain %q is too long: its lists' addresses would not fit in SMTP", clip(name))
		e.Field = "domain"
		return "", e
	}
	return key, nil
}
