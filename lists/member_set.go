package lists

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Member is one membership, for those who manage the list and for the member.
func (s *Service) Member(ctx context.Context, by Actor, listID int64, a smtp.Address) (Member, error) {
	l, rights, err := s.see(ctx, s.pool, by, listID)
	if err != nil {
		return Member{}, err
	}
	if !rights.Manages() && !by.Has(a.Key()) {
		return Member{}, deniedMember(l)
	}
	m, err := selectMember(ctx, s.pool, listID, a.Key())
	return m, memberError(l, a, err)
}

// OwnMembers are the memberships that the actor's own addresses have of a list.
func (s *Service) OwnMembers(ctx context.Context, by Actor, listID int64) ([]Member, error) {
	l, _, err := s.see(ctx, s.pool, by, listID)
	if err != nil {
		return nil, err
	}
	found, err := selectMembersOf(ctx, s.pool, listID, by.Keys)
	if err != nil {
		return nil, fmt.Errorf("own memberships of %s: %w", l.Address(), err)
	}
	return found, nil
}

// SetMember changes what is set of a member, all or none. Members may do it for themselves, but
// cannot lift what a moderator stopped.
func (s *Service) SetMember(ctx context.Context, by Actor, listID int64, a smtp.Address, changes []Change) (Member, error) {
	var m Member
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		l, rights, err := s.see(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		if !rights.Manages() && !by.Has(a.Key()) {
			return deniedMember(l)
		}
		before, err := lockMember(ctx, tx, listID, a.Key())
		if err != nil {
			return memberError(l, a, err)
		}
		m = before
		if err := m.set(changes); err != nil {
			return err
		}
		if err := checkState(rights, before.State, m.State); err != nil {
			return err
		}
		if m.Moderation != before.Moderation && !rights.Manages() {
			return Errorf(Denied, "member.denied.moderation", "only an owner of the list may set what becomes of a member's posts")
		}
		if m.State == StateActive && before.State != StateActive {
			m.Score = 0
		}
		if err := updateMember(ctx, tx, m); err != nil {
			return fmt.Errorf("%s on %s: %w", a, l.Address(), err)
		}
		params := changed(changes, before.Get)
		params["address"] = m.Address
		return audit(ctx, tx, by, "member.set", listID, params)
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

// checkState keeps members from what only owners may: undoing a moderator's stop, or posing as one.
func checkState(rights Rights, from, to string) error {
	if from == to || rights.Manages() {
		return nil
	}
	if from == StateModerator || to != StateActive && to != StateUser {
		return Errorf(Denied, "member.denied.state", "only an owner of the list may set the state to %s here", to)
	}
	return nil
}

// Get is the value of a setting in the spelling that SetMember takes; "" for an unknown key.
func (m Member) Get(key string) string {
	switch key {
	case "name":
		return m.Name
	case "mode":
		return m.Mode
	case "state":
		return m.State
	case "hidden":
		return strconv.FormatBool(m.Hidden)
	case "own_posts":
		return strconv.FormatBool(m.OwnPosts)
	case "moderation":
		return cmp.Or(m.Moderation, ModerationDefault)
	case "addressed_posts":
		return strconv.FormatBool(m.AddressedPosts)
	case "vacation":
		return formatVacation(m.AwayFrom, m.AwayUntil)
	}
	return ""
}

func deniedMember(l List) *Error {
	return Errorf(Denied, "member.denied", "only an owner of %s may see or change its members", l.Address())
}

// memberError turns "no row" into the sentence that a person understands.
func memberError(l List, a smtp.Address, err error) error {
	if err == nil {
		return nil
	}
	if !noRows(err) {
		return fmt.Errorf("%s on %s: %w", a, l.Address(), err)
	}
	e := Errorf(NotFound, "member.unknown", "%s is not a member of %s", a, l.Address())
	e.Field = "address"
	e.Params = map[string]any{"Address": a.String(), "List": l.Address().String()}
	return e
}
