package lists

import (
	"context"
	"fmt"

	"muster/smtp"
)

// own is what an address is here, if it is one of ours.
type own struct {
	Ours bool
	List *int64 // the list that posts to the address reach
}

// ownAddress says whether a is an address of this site: a list, an address beside a list, or one
// of the site's reserved names. Other addresses in a served domain may be people's, behind the
// same mail server.
func ownAddress(ctx context.Context, q querier, a smtp.Address) (own, error) {
	if _, err := servedDomain(ctx, q, a.DomainKey()); noRows(err) {
		return own{}, nil
	} else if err != nil {
		return own{}, fmt.Errorf("domain of %s: %w", a, err)
	}
	local := smtp.LocalKey(a.Local)
	id, err := listIDByAddress(ctx, q, local, a.DomainKey())
	if noRows(err) {
		return own{Ours: isSiteLocal(local)}, nil
	}
	if err != nil {
		return own{}, fmt.Errorf("list %s: %w", a, err)
	}
	return own{Ours: true, List: &id}, nil
}

// nestable decides whether an address may become a member of a list: people's may, of our own only
// a list's, and only by somebody who manages that list too, because whoever posts to the outer
// list reaches the members of the inner one past its own rules. It returns the inner list, if the
// address is one.
func (s *Service) nestable(ctx context.Context, q querier, by Actor, listID int64, a smtp.Address) (*int64, error) {
	o, err := ownAddress(ctx, q, a)
	if err != nil || !o.Ours {
		return nil, err
	}
	if o.List == nil {
		return nil, ownAddressError(a)
	}
	if *o.List == listID {
		return nil, invalidAddress("member.self", "%s cannot be a member of itself", a)
	}
	if _, err := s.manage(ctx, q, by, *o.List); err != nil {
		if kind := KindOf(err); kind == NotFound || kind == Denied {
			return nil, ownAddressError(a)
		}
		return nil, err
	}
	return o.List, nil
}

func ownAddressError(a smtp.Address) *Error {
	return invalidAddress("member.own", "%s is an address of this site and cannot be subscribed; name a person's address", a)
}

func invalidAddress(code, format string, a smtp.Address) *Error {
	e := Errorf(Invalid, code, format, a)
	e.Field = "address"
	e.Params = map[string]any{"Address": a.String()}
	return e
}
