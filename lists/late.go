package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// NoticeLate is the kind of a notice about copies that have waited for long.
const NoticeLate = "late" // LateParams, to owners

// Late is what has waited for long of the copies of a list's posts.
type Late struct {
	List   int64
	Copies int64
	More   bool        // there are more copies than were counted
	Posts  []LatePost  // the oldest first
	Places []LatePlace // those that most copies wait for first
	// Told are the addresses to which an earlier notice of this is still on its way.
	Told []string
}

// LatePost is a post with copies that have waited for long.
type LatePost struct {
	ID       uuid.UUID `json:"-"`
	Ref      string    `json:"-"`
	Subject  string    // may be empty
	Accepted time.Time
	Copies   int64
	Aside    bool   // nothing of it is sent before an administrator has looked at it
	URL      string // page that tells how far it is
}

// LatePlace is where late copies wait to go.
type LatePlace struct {
	Name   string // a domain, or relays; "": several domains
	Copies int64
	Host   string // that had the last word, may be empty
	Reply  string // may be empty
}

// LateParams tells an owner what is late.
type LateParams struct {
	Copies int64
	More   bool
	Posts  []LatePost
	Others int // posts that are late beside those
	Places []LatePlace
}

// Bounds of what a notice names.
const (
	maxLatePosts  = 10
	maxLatePlaces = 5
)

// TellLate mails the owners of a list what of it is late, once a day at most, and tells how many it
// mailed. Who owns many lists, all of which are late when a relay is down, is not mailed about each of
// them, and nobody is while the mail before has not arrived itself.
func (s *Service) TellLate(ctx context.Context, late Late) (mailed int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		mailed = 0
		l, err := listByID(ctx, tx, late.List)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %d: %w", late.List, err)
		}
		within, err := s.count(ctx, tx, s.limits.latePerList, fmt.Sprint(l.ID))
		if err != nil || !within {
			return err
		}
		mailed, err = s.tellLate(ctx, tx, l, late)
		return err
	})
	if mailed > 0 && err == nil {
		s.cfg.Wake()
	}
	return mailed, err
}

func (s *Service) tellLate(ctx context.Context, tx pgx.Tx, l List, late Late) (mailed int, err error) {
	roles, err := selectRoles(ctx, tx, l.ID)
	if err != nil {
		return 0, fmt.Errorf("roles of %s: %w", l.Address(), err)
	}
	told := map[string]bool{}
	for _, address := range late.Told {
		told[address] = true
	}
	params := s.lateParams(l, late)
	for _, r := range roles {
		if r.Role != RoleOwner || told[r.Address] {
			continue
		}
		within, err := s.count(ctx, tx, s.limits.latePerOwner, r.Key)
		if err != nil {
			return 0, err
		}
		if !within {
			continue
		}
		if err := queueNotice(ctx, tx, Notice{Kind: NoticeLate, List: l.ID, Address: r.Address, Params: params}); err != nil {
			return 0, err
		}
		mailed++
	}
	return mailed, nil
}

func (s *Service) lateParams(l List, late Late) LateParams {
	p := LateParams{
		Copies: late.Copies, More: late.More, Posts: late.Posts[:min(len(late.Posts), maxLatePosts)],
		Places: late.Places[:min(len(late.Places), maxLatePlaces)],
	}
	p.Others = len(late.Posts) - len(p.Posts)
	for i := range p.Posts {
		p.Posts[i].URL = s.url("manage", "lists", l.Address().String(), "posts", p.Posts[i].Ref)
	}
	return p
}
