package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Departure is somebody's wish to leave a list, as it came in.
type Departure struct {
	List     int64
	Address  smtp.Address
	Client   string // network address it came from; "" where it proves nothing
	How      string // ConsentWeb, ConsentMail
	Language string
	From     Actor
}

// RequestLeave mails the question whether the owner of an address wants to leave, if it is a
// member; who signed in with the address leaves at once. The answer is nil for everybody.
func (s *Service) RequestLeave(ctx context.Context, d Departure) error {
	_, err := s.requestLeave(ctx, d)
	return err
}

// requestLeave is RequestLeave that says what came of it, which is for nobody but the address itself.
func (s *Service) requestLeave(ctx context.Context, d Departure) (outcome string, err error) {
	l, err := s.seeAsked(ctx, d.From, d.How, d.List)
	if err != nil {
		return "", err
	}
	if err := s.allowClient(ctx, s.limits.confirmsPerClient, d.Client); err != nil {
		return "", err
	}
	err = s.inTxWake(ctx, func(tx pgx.Tx) error {
		m, err := selectMember(ctx, tx, l.ID, d.Address.Key())
		if noRows(err) {
			outcome = OutcomeNoMember
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s on %s: %w", d.Address, l.Address(), err)
		}
		if d.From.Has(m.Key) {
			outcome = OutcomeDone
			return s.leave(ctx, tx, l, m.Key)
		}
		outcome = OutcomeConfirm
		return s.askLeave(ctx, tx, l, m, d)
	})
	return outcome, err
}

func (s *Service) askLeave(ctx context.Context, tx pgx.Tx, l List, m Member, d Departure) error {
	secret, asks, err := s.question(ctx, tx, l, newToken{
		Purpose: PurposeLeave, List: l.ID, Key: m.Key, Life: confirmLife,
		Params: tokenParams{Address: m.Address, How: d.How, Client: d.Client},
	})
	if err != nil || !asks {
		return err
	}
	if language := languageTag(d.Language); language != "" {
		m.Language = language
	}
	return s.tellConfirm(ctx, tx, NoticeLeaveConfirm, l, m, secret)
}

// leave ends the membership of somebody who wants it. Having left already is as good.
func (s *Service) leave(ctx context.Context, tx pgx.Tx, l List, key string) error {
	m, err := s.part(ctx, tx, l, key, tombLeft)
	if noRows(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s on %s: %w", key, l.Address(), err)
	}
	return s.tellLeft(ctx, tx, l, m)
}

// ReadLeaveSeal shows whose unsubscribe link a seal is and changes nothing.
func (s *Service) ReadLeaveSeal(ctx context.Context, seal string) (List, string, error) {
	l, m, err := s.openLeaveSeal(ctx, s.pool, seal)
	return l, m.Address, err
}

// LeaveBySeal leaves with the link or the one-click button of a mail (RFC 8058), which is as good
// as long as the mail is kept. Having left already is no error.
func (s *Service) LeaveBySeal(ctx context.Context, seal, client string) (List, string, error) {
	var l List
	var m Member
	err := s.inTxWake(ctx, func(tx pgx.Tx) (err error) {
		if l, m, err = s.openLeaveSeal(ctx, tx, seal); err != nil {
			return err
		}
		return s.leave(ctx, tx, l, m.Key)
	})
	if KindOf(err) == Expired {
		s.log.WarnContext(ctx, "forged or foreign seal", "seal", clip(seal), "client", client)
	}
	if err != nil {
		return List{}, "", err
	}
	return l, m.Address, nil
}

// openLeaveSeal finds the membership a seal names and only then can prove it, because the list is
// in the proof.
func (s *Service) openLeaveSeal(ctx context.Context, q querier, seal string) (List, Member, error) {
	raw, ok := decodeSeal(seal)
	if !ok {
		return List{}, Member{}, unknownToken()
	}
	m, err := selectMemberByID(ctx, q, raw.claim().Member)
	if noRows(err) {
		return List{}, Member{}, unknownToken()
	}
	if err != nil {
		return List{}, Member{}, fmt.Errorf("member of seal: %w", err)
	}
	sealer, err := s.sealer(ctx, q)
	if err != nil {
		return List{}, Member{}, err
	}
	if _, ok := sealer.VerifyLeave(m.ListID, seal); !ok {
		return List{}, Member{}, unknownToken()
	}
	l, err := listByID(ctx, q, m.ListID)
	if noRows(err) {
		return List{}, Member{}, unknownToken()
	}
	if err != nil {
		return List{}, Member{}, fmt.Errorf("list %d: %w", m.ListID, err)
	}
	return l, m, nil
}
