package lists

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// NewList is a list to be made. Its other settings begin as the table of Settings says.
type NewList struct {
	Address     smtp.Address
	Name        string
	Description string
	Owners      []smtp.Address
}

// CreateList makes a list, and its domain if it is the first there. Owners are not thereby
// members. Nobody is mailed.
func (s *Service) CreateList(ctx context.Context, by Actor, n NewList) (List, error) {
	if err := requireAdmin(by); err != nil {
		return List{}, err
	}
	l, err := n.list()
	if err != nil {
		return List{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		made, err := s.createList(ctx, tx, by, l, n.Owners)
		if err == nil {
			l = made
		}
		return err
	})
	if err != nil {
		return List{}, err
	}
	return l, nil
}

// list checks what was asked for and returns it as a list without ids.
func (n NewList) list() (List, error) {
	local, err := listName(n.Address.Local)
	if err != nil {
		return List{}, err
	}
	domain, err := domainName(n.Address.Domain)
	if err != nil {
		return List{}, err
	}
	l := List{Local: local, Domain: domain}
	err = l.set([]Change{{"name", n.Name}, {"description", n.Description}})
	return l, err
}

func (s *Service) createList(ctx context.Context, tx pgx.Tx, by Actor, l List, owners []smtp.Address) (List, error) {
	d, err := ensureDomain(ctx, tx, l.Domain)
	if err != nil {
		return List{}, fmt.Errorf("domain %s: %w", l.Domain, err)
	}
	l.DomainID = d.ID
	id, err := insertList(ctx, tx, l)
	if isUnique(err) {
		e := Errorf(Exists, "list.exists", "there is a list %s already", l.Address())
		e.Field = "address"
		return List{}, e
	}
	if err != nil {
		return List{}, fmt.Errorf("list %s: %w", l.Address(), err)
	}
	if err := nestMembers(ctx, tx, id, l.Address().Key()); err != nil {
		return List{}, fmt.Errorf("members that are list %s: %w", l.Address(), err)
	}
	for _, owner := range owners {
		if err := s.grant(ctx, tx, id, owner, RoleOwner); err != nil {
			return List{}, err
		}
	}
	made, err := listByID(ctx, tx, id)
	if err != nil {
		return List{}, fmt.Errorf("list %s: %w", l.Address(), err)
	}
	return made, audit(ctx, tx, by, "list.create", id, map[string]any{"address": l.Address().String(), "owners": addressStrings(owners)})
}

func addressStrings(addresses []smtp.Address) []string {
	texts := make([]string, 0, len(addresses))
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	return slices.Clip(texts)
}
