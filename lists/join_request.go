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
	ConsentFrom string   `db:"consent_from"`
	Options     []Change // what they want set of their membership
}

func (r JoinRequest) member() (Member, error) {
	a, err := smtp.ParseAddress(r.Address)
	if err != nil {
		return Member{}, fmt.Errorf("request %d: %w", r.ID, err)
	}
	m := memberOf(r.ListID, smtp.Mailbox{Name: r.Name, Address: a})
	m.Language = r.Language
	return m, m.set(r.Options)
}

// askOwners writes a request and tells who decides on it, once however often somebody asks.
func (s *Service) askOwners(ctx context.Context, tx pgx.Tx, l List, m Member, consent consentGiven) error {
	id, err := insertJoinRequest(ctx, tx, JoinRequest{
		ListID: l.ID, Key: m.Key, Address: m.Address, Name: m.Name, Language: m.Language,
		Consent: consent.how, ConsentFrom: consent.from, Options: consent.options,
	})
	if err != nil {
		return fmt.Errorf("request of %s on %s: %w", m.Address, l.Address(), err)
	}
	if id == 0 {
		return nil
	}
	return s.tellJoinRequest(ctx, tx, l, m, id)
}

// PendingJoins are the open requests of a list in the order they came, for those who moderate it.
// After is the id of the last one seen.
func (s *Service) PendingJoins(ctx context.Context, by Actor, listID, after int64, limit int) ([]JoinRequest, error) {
	l, err := s.moderatesList(ctx, s.pool, by, listID)
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
	err := s.inTxWake(ctx, func(tx pgx.Tx) (err error) {
		m, err = s.approveJoin(ctx, tx, by, listID, id)
		return err
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

func (s *Service) approveJoin(ctx context.Context, tx pgx.Tx, by Actor, listID, id int64) (Member, error) {
	l, r, err := s.takeJoin(ctx, tx, by, listID, id)
	if err != nil {
		return Member{}, err
	}
	m, err := r.member()
	if err != nil {
		return Member{}, err
	}
	if m, err = s.join(ctx, tx, l, m, consentGiven{how: r.Consent, from: r.ConsentFrom}); err != nil {
		return Member{}, err
	}
	if err := s.tellJoined(ctx, tx, l, m, true, false); err != nil {
		return Member{}, err
	}
	return m, audit(ctx, tx, by, "join.approve", listID, map[string]any{"address": r.Address})
}

// RefuseJoin drops a request and tells who asked, with the moderator's reason if there is one.
func (s *Service) RefuseJoin(ctx context.Context, by Actor, listID, id int64, reason string) error {
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		_, err := s.refuseJoin(ctx, tx, by, JoinRequest{ListID: listID, ID: id}, reason)
		return err
	})
}

// refuseJoin is RefuseJoin for the list and id of a request, which it returns.
func (s *Service) refuseJoin(ctx context.Context, tx pgx.Tx, by Actor, asked JoinRequest, reason string) (JoinRequest, error) {
	l, r, err := s.takeJoin(ctx, tx, by, asked.ListID, asked.ID)
	if err != nil {
		return JoinRequest{}, err
	}
	if err := queueNotice(ctx, tx, Notice{
		Kind: NoticeJoinRefused, List: l.ID, Address: r.Address, Language: r.Language,
		Params: RefusedParams{Reason: cleanText(clipText(reason))},
	}); err != nil {
		return JoinRequest{}, err
	}
	return r, audit(ctx, tx, by, "join.refuse", l.ID, map[string]any{"address": r.Address})
}

// takeJoin takes a request away for who decides on it.
func (s *Service) takeJoin(ctx context.Context, tx pgx.Tx, by Actor, listID, id int64) (List, JoinRequest, error) {
	l, err := s.moderatesList(ctx, tx, by, listID)
	if err != nil {
		return List{}, JoinRequest{}, err
	}
	r, err := takeJoinRequest(ctx, tx, listID, id)
	if noRows(err) {
		return List{}, JoinRequest{}, Errorf(Conflict, "join.decided", "that request was decided already")
	}
	if err != nil {
		return List{}, JoinRequest{}, fmt.Errorf("request %d on %s: %w", id, l.Address(), err)
	}
	return l, r, nil
}
