package lists

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Values of a role.
const (
	RoleOwner     = "owner"
	RoleModerator = "moderator"
)

// Role is one person's right over a list. Owners and moderators need not be members.
type Role struct {
	ListID  int64 `db:"list_id"`
	Key     string
	Address string
	Role    string
}

// Roles are the owners and moderators of a list, owners first, for those who moderate it.
func (s *Service) Roles(ctx context.Context, by Actor, listID int64) ([]Role, error) {
	l, rights, err := s.see(ctx, s.pool, by, listID)
	if err != nil {
		return nil, err
	}
	if !rights.Moderates() {
		return nil, Errorf(Denied, "list.denied.roles", "only an owner or moderator of %s may see who they are", l.Address())
	}
	roles, err := selectRoles(ctx, s.pool, listID)
	if err != nil {
		return nil, fmt.Errorf("roles of %s: %w", l.Address(), err)
	}
	return roles, nil
}

// SetRole makes an address an owner or a moderator, beside what it is already.
func (s *Service) SetRole(ctx context.Context, by Actor, listID int64, a smtp.Address, role string) error {
	if err := checkRole(role); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := s.manage(ctx, tx, by, listID); err != nil {
			return err
		}
		if err := s.grant(ctx, tx, listID, a, role); err != nil {
			return err
		}
		return audit(ctx, tx, by, "role.set", listID, map[string]any{"address": a.String(), "role": role})
	})
}

// grant writes a role. An address of our own would send mail for owners round in a circle.
func (s *Service) grant(ctx context.Context, tx pgx.Tx, listID int64, a smtp.Address, role string) error {
	own, err := ownAddress(ctx, tx, a)
	if err != nil {
		return err
	}
	if own.Ours {
		e := Errorf(Invalid, "role.own", "%s is an address of this site and cannot own or moderate a list; name a person", a)
		e.Field = "owner"
		return e
	}
	if err := insertRole(ctx, tx, Role{ListID: listID, Key: a.Key(), Address: a.String(), Role: role}); err != nil {
		return fmt.Errorf("%s as %s: %w", a, role, err)
	}
	return nil
}

// RemoveRole takes a role away. An owner cannot leave the list without any; an admin can.
func (s *Service) RemoveRole(ctx context.Context, by Actor, listID int64, a smtp.Address, role string) error {
	if err := checkRole(role); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockList(ctx, tx, listID); err != nil {
			return err
		}
		l, err := s.manage(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		if err := s.revoke(ctx, tx, by, l, Role{ListID: listID, Key: a.Key(), Address: a.String(), Role: role}); err != nil {
			return err
		}
		return audit(ctx, tx, by, "role.remove", listID, map[string]any{"address": a.String(), "role": role})
	})
}

func (s *Service) revoke(ctx context.Context, tx pgx.Tx, by Actor, l List, r Role) error {
	found, err := deleteRole(ctx, tx, r)
	if err != nil {
		return fmt.Errorf("%s as %s of %s: %w", r.Address, r.Role, l.Address(), err)
	}
	if !found {
		return Errorf(NotFound, "role.unknown", "%s is not %s of %s", r.Address, r.Role, l.Address())
	}
	if r.Role != RoleOwner || by.Admin {
		return nil
	}
	left, err := selectRoles(ctx, tx, l.ID)
	if err != nil {
		return fmt.Errorf("roles of %s: %w", l.Address(), err)
	}
	if !slices.ContainsFunc(left, func(r Role) bool { return r.Role == RoleOwner }) {
		return Errorf(Conflict, "role.last", "%s is the last owner of %s; add another owner first", r.Address, l.Address())
	}
	return nil
}

func checkRole(role string) error {
	if role == RoleOwner || role == RoleModerator {
		return nil
	}
	e := Errorf(Invalid, "role.value", "a role is %s or %s, not %q", RoleOwner, RoleModerator, clip(role))
	e.Field = "role"
	return e
}
