package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// JoinRequest is somebody who wants to join a list whose owners decide who does.
type JoinRequest struct {
	ID          int64
	ListID      int64 `db:"list_id"`
	Key         string
	Address     string
	Name        string
	Language    string
	Asked       time.Time
	Consent     string
	ConsentFrom string `db:"consent_from"`
}

func (r JoinRequest) member() (Member, error) {
	a, err := smtp.ParseAddress(r.Address)
	if err != nil {
		return Member{}, fmt.Errorf("request %d: %w", r.ID, err)
	}
	m := memberOf(r.ListID, smtp.Mailbox{Name: r.Name, Address: a})
	m.Language = r.Language
	return m, nil
}

// askOwners writes a request and tells the owners, once however often somebody asks.
func (s *Service) askOwners(ctx context.Context, tx pgx.Tx, l List, m Member, consent consentGiven) error {
	made, err := insertJoinRequest(ctx, tx, JoinRequest{
		ListID: l.ID, Key: m.Key, Address: m.Address, Name: m.Name, Language: m.Language,
		Consent: consent.how, ConsentFrom: consent.from,
	})
	if err != nil {
		return fmt.Errorf("request of %s on %s: %w", m.Address, l.Address(), err)
	}
	if !made {
		return nil
	}
	return s.tellOwners(ctx, tx, NoticeJoinRequest, l, AboutMemberParams{
		Address: m.Address, Name: m.Name, URL: s.url("manage", "lists", l.Address().String(), "joins"),
	})
}

// PendingJoins are the open requests of a list in the order they came, for those who manage it.
// After is the id of the last one seen.
func (s *Service) PendingJoins(ctx context.Context, by Actor, listID, after int64, limit int) ([]JoinRequest, error) {
	l, err := s.manage(ctx, s.pool, by, listID)
	if err != nil {
		return nil, err
	}
	found, err := selectJoinRequests(ctx, s.pool, listID, after, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("requests to join %s: %w", l.Address(), err)
	}
	return found, nil
}

// ApproveJoin makes a member of who asked, and welcomes them.
func (s *Service) ApproveJoin(ctx context.Context, by Actor, listID, id int64) (Member, error) {
	var m Member
	err := s.decideJoin(ctx, by, listID, id, "join.approve", func(tx pgx.Tx, l List, r JoinRequest) (err error) {
		if m, err = r.member(); err != nil {
			return err
		}
		if m, err = s.join(ctx, tx, l, m, consentGiven{how: r.Consent, from: r.ConsentFrom}); err != nil {
			return err
		}
		return s.tellJoined(ctx, tx, l, m, true, false)
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

// RefuseJoin drops a request and tells who asked, with the owner's reason if there is one.
func (s *Service) RefuseJoin(ctx context.Context, by Actor, listID, id int64, reason string) error {
	return s.decideJoin(ctx, by, listID, id, "join.refuse", func(tx pgx.Tx, l List, r JoinRequest) error {
		return queueNotice(ctx, tx, Notice{
			Kind: NoticeJoinRefused, List: l.ID, Address: r.Address, Language: r.Language,
			Params: RefusedParams{Reason: cleanText(clipText(reason))},
		})
	})
}

// decideJoin takes a request away and does what was decided on it.
func (s *Service) decideJoin(ctx context.Context, by Actor, listID, id int64, action string, do func(pgx.Tx, List, JoinRequest) error) error {
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		l, err := s.manage(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		r, err := takeJoinRequest(ctx, tx, listID, id)
		if noRows(err) {
			return Errorf(Conflict, "join.decided", "that request was decided already")
		}
		if err != nil {
			return fmt.Errorf("request %d on %s: %w", id, l.Address(), err)
		}
		if err := do(tx, l, r); err != nil {
			return err
		}
		return audit(ctx, tx, by, action, listID, map[string]any{"address": r.Address})
	})
}
