package lists

import (
	"context"
	"fmt"
	"strings"

	"muster/smtp"
)

// ListByAddress is the list that an address posts to.
func (s *Service) ListByAddress(ctx context.Context, by Actor, a smtp.Address) (List, error) {
	id, err := listIDByAddress(ctx, s.pool, smtp.LocalKey(a.Local), a.DomainKey())
	if noRows(err) {
		return List{}, unknownList(a)
	}
	if err != nil {
		return List{}, fmt.Errorf("list %s: %w", a, err)
	}
	l, _, err := s.see(ctx, s.pool, by, id)
	if KindOf(err) == NotFound {
		return List{}, unknownList(a)
	}
	return l, err
}

func unknownList(a smtp.Address) *Error {
	e := noSuchList()
	e.Msg = fmt.Sprintf("there is no list %s here", clip(a.String()))
	e.Field = "address"
	return e
}

// ListByID is a list by its id.
func (s *Service) ListByID(ctx context.Context, by Actor, id int64) (List, error) {
	l, _, err := s.see(ctx, s.pool, by, id)
	return l, err
}

// ListQuery asks for lists in order of domain and name.
type ListQuery struct {
	Domain string // only of this domain
	After  string // local@domain of the last list seen
	Limit  int    // 0: 50; at most 1000
	Mine   bool   // only where the actor is a member or has a role
}

// ListPage is a page of lists.
type ListPage struct {
	Lists []List
	More  bool // there are more after the last
}

// Lists are the lists that the actor may know of.
func (s *Service) Lists(ctx context.Context, by Actor, query ListQuery) (ListPage, error) {
	limit := pageSize(query.Limit)
	afterLocal, afterDomain := "", ""
	after := pgText(query.After)
	if i := strings.LastIndexByte(after, '@'); i >= 0 {
		afterLocal, afterDomain = after[:i], after[i+1:]
	}
	found, err := selectLists(ctx, s.pool, by, listRange{
		Domain: strings.ToLower(pgText(query.Domain)), AfterDomain: afterDomain, AfterLocal: afterLocal, Limit: limit + 1, Mine: query.Mine,
	})
	if err != nil {
		return ListPage{}, fmt.Errorf("lists: %w", err)
	}
	page := ListPage{Lists: found, More: len(found) > limit}
	if page.More {
		page.Lists = found[:limit]
	}
	return page, nil
}

// Sizes of a page of anything.
const (
	defaultPage = 50
	maxPage     = 1000
)

func pageSize(asked int) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(asked, maxPage)
}
