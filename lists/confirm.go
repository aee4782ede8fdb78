package lists

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Pending is what a token asks, to be shown before it is answered.
type Pending struct {
	Purpose string // PurposeJoin, PurposeLeave, PurposePost, PurposeSignIn
	List    List   // zero for a sign-in
	Address string
	Done    bool // it was answered already
}

// Pending shows what a token is for and changes nothing: links are fetched by scanners too.
func (s *Service) Pending(ctx context.Context, secret, client string) (Pending, error) {
	p, err := s.pending(ctx, secret)
	if err == nil && p.Purpose == PurposeCommand {
		p, err = Pending{}, unknownToken()
	}
	return p, s.noteBadToken(ctx, client, err)
}

func (s *Service) pending(ctx context.Context, secret string) (Pending, error) {
	if len(secret) != secretChars {
		return Pending{}, unknownToken()
	}
	t, err := selectToken(ctx, s.pool, hashSecret(strings.ToLower(secret)))
	if noRows(err) || err == nil && t.Expired && !t.Used {
		return Pending{}, unknownToken()
	}
	if err != nil {
		return Pending{}, fmt.Errorf("token: %w", err)
	}
	if t.Purpose == PurposeModerate || t.Purpose == PurposeAdmit { // they are answered by mail
		return Pending{}, unknownToken()
	}
	p := Pending{Purpose: t.Purpose, Address: t.Params.Address, Done: t.Used}
	if t.List == nil {
		return p, nil
	}
	p.List, err = s.tokenList(ctx, s.pool, t)
	return p, err
}

// tokenList is the list of a token: who holds the token knows of the list.
func (s *Service) tokenList(ctx context.Context, q querier, t token) (List, error) {
	l, err := listByID(ctx, q, *t.List)
	if noRows(err) {
		return List{}, unknownToken()
	}
	if err != nil {
		return List{}, fmt.Errorf("list %d: %w", *t.List, err)
	}
	return l, nil
}

// Confirmed is what came of a confirmation.
type Confirmed struct {
	Purpose string // PurposeJoin, PurposeLeave or PurposePost
	List    List
	Address string
	Waits   bool // an owner or moderator decides now
	Before  bool // it was confirmed before; nothing was done now
}

// Confirm does what a token of joining, leaving or posting was mailed for. A second time is no error.
func (s *Service) Confirm(ctx context.Context, secret, client string) (Confirmed, error) {
	var c Confirmed
	err := s.inTxWake(ctx, func(tx pgx.Tx) error {
		c = Confirmed{}
		t, err := s.takeToken(ctx, tx, secret, PurposeJoin, PurposeLeave, PurposePost)
		if err != nil && KindOf(err) != Conflict {
			return err
		}
		c.Before = err != nil
		c.Purpose, c.Address = t.Purpose, t.Params.Address
		if c.List, err = s.tokenList(ctx, tx, t); err != nil || c.Before {
			return err
		}
		switch t.Purpose {
		case PurposeLeave:
			return s.leave(ctx, tx, c.List, t.Key)
		case PurposePost:
			c.Waits, c.Before, err = s.confirmPost(ctx, tx, c.List, t)
			return err
		}
		c.Waits, err = s.confirmJoin(ctx, tx, c.List, t, client)
		return err
	})
	if err != nil {
		return Confirmed{}, s.noteBadToken(ctx, client, err)
	}
	return c, nil
}

// confirmJoin makes a member of who answered, by the policy the list has now.
func (s *Service) confirmJoin(ctx context.Context, tx pgx.Tx, l List, t token, client string) (waits bool, err error) {
	if l.JoinPolicy == JoinClosed {
		return false, Errorf(Denied, "join.closed", "%s cannot be joined any more; only its owners add members", l.Address())
	}
	a, err := smtp.ParseAddress(t.Params.Address)
	if err != nil {
		return false, fmt.Errorf("token for %s: %w", l.Address(), err)
	}
	m := memberOf(l.ID, smtp.Mailbox{Name: t.Params.Name, Address: a})
	m.Language = t.Params.Language
	if err := m.set(t.Params.Options); err != nil {
		return false, err
	}
	banned, err := s.isBanned(ctx, tx, l, m)
	if err != nil || banned {
		return false, err
	}
	from := client
	if from == "" {
		from = t.Params.Client
	}
	return s.admit(ctx, tx, l, m, consentGiven{how: t.Params.How, from: from, options: t.Params.Options})
}
