package lists

import (
	"context"
	"fmt"
)

// Rights is what an actor is to a list.
type Rights struct {
	Admin     bool
	Owner     bool
	Moderator bool
	Member    bool
}

// Manages says whether the list's settings, members and roles are theirs to see and change.
func (r Rights) Manages() bool { return r.Admin || r.Owner }

// Moderates says whether posts of others are theirs to decide.
func (r Rights) Moderates() bool { return r.Admin || r.Owner || r.Moderator }

// Knows says whether a list that is not advertised is none the less known to them.
func (r Rights) Knows() bool { return r.Admin || r.Owner || r.Moderator || r.Member }

// May is what the actor is to the list. An actor who may not know of the list gets NotFound.
func (s *Service) May(ctx context.Context, by Actor, listID int64) (Rights, error) {
	_, rights, err := s.see(ctx, s.pool, by, listID)
	return rights, err
}

// see loads a list for an actor with what the actor is to it, or says NotFound in the same words
// whether there is no such list or the actor may not know of it.
func (s *Service) see(ctx context.Context, q querier, by Actor, listID int64) (List, Rights, error) {
	l, err := listByID(ctx, q, listID)
	if noRows(err) {
		return List{}, Rights{}, noSuchList()
	}
	if err != nil {
		return List{}, Rights{}, fmt.Errorf("list %d: %w", listID, err)
	}
	rights, err := rightsOf(ctx, q, by, listID)
	if err != nil {
		return List{}, Rights{}, fmt.Errorf("rights over list %s: %w", l.Address(), err)
	}
	if !l.Advertised && !rights.Knows() && by.knows != listID {
		return List{}, Rights{}, noSuchList()
	}
	return l, rights, nil
}

// manage is see for what only owners and admins may do.
func (s *Service) manage(ctx context.Context, q querier, by Actor, listID int64) (List, error) {
	l, rights, err := s.see(ctx, q, by, listID)
	if err != nil {
		return List{}, err
	}
	if !rights.Manages() {
		return List{}, Errorf(Denied, "list.denied.manage", "only an owner of %s may do that", l.Address())
	}
	return l, nil
}

func rightsOf(ctx context.Context, q querier, by Actor, listID int64) (Rights, error) {
	if len(by.Keys) == 0 {
		return Rights{Admin: by.Admin}, nil
	}
	rights, err := selectRights(ctx, q, listID, by.Keys)
	rights.Admin = by.Admin
	return rights, err
}

func requireAdmin(by Actor) error {
	if by.Admin {
		return nil
	}
	return Errorf(Denied, "denied.admin", "only an administrator of this site may do that")
}

func noSuchList() *Error { return Errorf(NotFound, "list.unknown", "there is no such list here") }
