package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Subscription is somebody's wish to join a list, as it came in.
type Subscription struct {
	List     int64
	Mailbox  smtp.Mailbox
	Client   string // network address it came from; "" where it proves nothing
	How      string // ConsentWeb, ConsentMail
	Language string
	From     Actor    // who asks, if they signed in: their own address needs no confirmation
	Options  []Change // what they want set of their membership
	// Forgeable says that nobody vouches for the address: then a list that is joined at once asks too. A
	// visitor of the site is counted by their network address, and has to be there; mail is just sent.
	Forgeable bool
}

// Subscribe begins what the list's join_policy asks. The answer is nil for everybody, whether the
// address is a member, was banned, has a confirmation open or was mailed too often: it tells
// nobody who is on a list, and cannot be made to flood one.
func (s *Service) Subscribe(ctx context.Context, sub Subscription) error {
	_, err := s.requestJoin(ctx, sub)
	return err
}

// requestJoin is Subscribe that says whether owners decide now, which is for nobody but the address
// itself.
func (s *Service) requestJoin(ctx context.Context, sub Subscription) (waits bool, err error) {
	l, err := s.seeAsked(ctx, sub.From, sub.How, sub.List)
	if err != nil {
		return false, err
	}
	if l.JoinPolicy == JoinClosed {
		return false, Errorf(Denied, "join.closed", "%s cannot be joined; only its owners add members", l.Address())
	}
	o, err := ownAddress(ctx, s.pool, sub.Mailbox.Address)
	if err != nil {
		return false, err
	}
	if o.Ours {
		return false, ownAddressError(sub.Mailbox.Address)
	}
	if err := s.allowClient(ctx, s.limits.confirmsPerClient, sub.Client); err != nil {
		return false, err
	}
	err = s.inTxWake(ctx, func(tx pgx.Tx) error {
		waits, err = s.subscribe(ctx, tx, l, sub)
		return err
	})
	return waits, err
}

// seeAsked is see for who asks to join or leave, except by mail: who writes to a list's address
// knows of the list, advertised or not.
func (s *Service) seeAsked(ctx context.Context, by Actor, how string, listID int64) (List, error) {
	if how == ConsentMail {
		by = mailTo(listID)
	}
	l, _, err := s.see(ctx, s.pool, by, listID)
	return l, err
}

func (s *Service) subscribe(ctx context.Context, tx pgx.Tx, l List, sub Subscription) (waits bool, err error) {
	m := memberOf(l.ID, sub.Mailbox)
	m.Language = languageTag(sub.Language)
	if err := m.set(sub.Options); err != nil {
		return false, err
	}
	if _, err := selectMember(ctx, tx, l.ID, m.Key); err == nil {
		return false, s.tellAlready(ctx, tx, l, m)
	} else if !noRows(err) {
		return false, fmt.Errorf("%s on %s: %w", m.Address, l.Address(), err)
	}
	if banned, err := s.isBanned(ctx, tx, l, m); err != nil || banned {
		return l.JoinPolicy == JoinModerate, err // the owners have decided: what they say is for them to say
	}
	consent := consentGiven{how: sub.How, from: sub.Client, options: sub.Options}
	proved := sub.From.Has(m.Key)
	asks := l.JoinPolicy == JoinConfirm || l.JoinPolicy == JoinBoth || l.JoinPolicy == JoinOpen && sub.Forgeable
	if !proved && asks {
		return false, s.askJoin(ctx, tx, l, m, consent)
	}
	return s.admit(ctx, tx, l, m, consent)
}

// askJoin mails the question whether the owner of an address wants to join.
func (s *Service) askJoin(ctx context.Context, tx pgx.Tx, l List, m Member, consent consentGiven) error {
	secret, asks, err := s.question(ctx, tx, l, newToken{
		Purpose: PurposeJoin, List: l.ID, Key: m.Key, Life: confirmLife,
		Params: tokenParams{Address: m.Address, Name: m.Name, Language: m.Language, How: consent.how, Client: consent.from, Options: consent.options},
	})
	if err != nil || !asks {
		return err
	}
	return s.tellConfirm(ctx, tx, NoticeJoinConfirm, l, m, secret)
}

// question makes the token of a question to be mailed and says whether to mail it: at most one that
// is open, and within the limits. What is not mailed leaves no token, which would stand in the way of the next question and could never be answered.
func (s *Service) question(ctx context.Context, tx pgx.Tx, l List, t newToken) (secret string, asks bool, err error) {
	secret, hash := newSecret()
	made, err := insertToken(ctx, tx, hash, t)
	if err != nil {
		return "", false, fmt.Errorf("confirmation of %s on %s: %w", t.Params.Address, l.Address(), err)
	}
	if !made {
		return "", false, nil
	}
	within, err := s.withinQuestions(ctx, tx, l, t)
	if err != nil || within {
		return secret, within, err
	}
	if err := deleteToken(ctx, tx, hash); err != nil {
		return "", false, fmt.Errorf("confirmation of %s on %s: %w", t.Params.Address, l.Address(), err)
	}
	return "", false, nil
}

// withinQuestions counts a question: a few a day to one address over all lists, and of those that
// were asked for by mail, which forged senders may do from many places, some hundreds a list.
func (s *Service) withinQuestions(ctx context.Context, tx pgx.Tx, l List, t newToken) (bool, error) {
	within, err := s.count(ctx, tx, s.limits.confirmsPerAddress, t.Key)
	if err != nil || !within || t.Params.How != ConsentMail {
		return within, err
	}
	return s.count(ctx, tx, s.limits.confirmsByMail, fmt.Sprint(l.ID))
}

// admit makes somebody a member who proved to want it, or where the list has moderators decide,
// puts them before these. It returns whether they wait.
func (s *Service) admit(ctx context.Context, tx pgx.Tx, l List, m Member, consent consentGiven) (waits bool, err error) {
	if l.JoinPolicy == JoinModerate || l.JoinPolicy == JoinBoth {
		return true, s.askOwners(ctx, tx, l, m, consent)
	}
	m, err = s.join(ctx, tx, l, m, consent)
	if KindOf(err) == Exists {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return false, s.tellJoined(ctx, tx, l, m, true, false)
}

// isBanned says whether the owners, or the site, keep somebody out.
func (s *Service) isBanned(ctx context.Context, q querier, l List, m Member) (bool, error) {
	ban, err := s.banOf(ctx, q, l.ID, m.Mailbox().Address)
	if err != nil || ban != nil {
		return ban != nil, err
	}
	t, err := selectTombstone(ctx, q, l.ID, keyHash(m.Key))
	if noRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("tombstone of %s on %s: %w", m.Address, l.Address(), err)
	}
	return t.Reason == tombBanned, nil
}
