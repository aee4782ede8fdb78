package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// Ways in which somebody agreed to be a member.
const (
	ConsentWeb    = "web"
	ConsentMail   = "mail"
	ConsentCLI    = "cli"
	ConsentImport = "import"
	ConsentAPI    = "api"
	ConsentOwner  = "owner" // an owner added them
)

// NewMember is a member to be added by somebody else.
type NewMember struct {
	Mailbox smtp.Mailbox
	Mode    string // "": each
	Hidden  bool
	Consent string // how they agreed; "": the actor says so
	Again   bool   // although they left, were removed or are banned
	Welcome bool   // mail the new member
	Notify  bool   // mail the owners
}

// AddMember makes somebody a member because an owner or admin says so.
func (s *Service) AddMember(ctx context.Context, by Actor, listID int64, n NewMember) (Member, error) {
	if n.Mode == "" {
		n.Mode = ModeEach
	}
	if _, err := checkChange(MemberSettings(), Change{"mode", n.Mode}); err != nil {
		return Member{}, err
	}
	var m Member
	err := s.inTxWake(ctx, func(tx pgx.Tx) error {
		l, err := s.manage(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		nested, err := s.nestable(ctx, tx, by, listID, n.Mailbox.Address)
		if err != nil {
			return err
		}
		m = memberOf(listID, n.Mailbox)
		m.Mode, m.Hidden, m.Nested = n.Mode, n.Hidden, nested
		if !n.Again {
			if err := checkTombstone(ctx, tx, l, m); err != nil {
				return err
			}
		}
		consent := n.Consent
		if consent == "" {
			consent = by.consent()
		}
		if m, err = s.join(ctx, tx, l, m, consentGiven{how: consent, from: by.from()}); err != nil {
			return err
		}
		if err := s.tellJoined(ctx, tx, l, m, n.Welcome, n.Notify); err != nil {
			return err
		}
		return audit(ctx, tx, by, "member.add", listID, map[string]any{"address": m.Address})
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

func (a Actor) consent() string {
	if a.Name == "cli" {
		return ConsentCLI
	}
	return ConsentOwner
}

// memberOf is a mailbox as a member with every setting at its default.
func memberOf(listID int64, box smtp.Mailbox) Member {
	return Member{
		ListID: listID, Key: box.Address.Key(), Address: box.Address.String(), Name: smtp.CleanName(box.Name),
		Domain: box.Address.DomainKey(), Mode: ModeEach, State: StateActive, OwnPosts: true, AddressedPosts: true,
	}
}

// consentGiven is how and from where somebody agreed to be a member, and what they wanted set.
type consentGiven struct {
	how, from string
	options   []Change
}

// join writes a membership. Who joins leaves no tombstone and no open request behind.
func (s *Service) join(ctx context.Context, tx pgx.Tx, l List, m Member, consent consentGiven) (Member, error) {
	made, err := insertMember(ctx, tx, m, consent)
	if noRows(err) {
		e := Errorf(Exists, "member.exists", "%s is a member of %s already", m.Address, l.Address())
		e.Field = "address"
		e.Params = map[string]any{"Address": m.Address, "List": l.Address().String()}
		return Member{}, e
	}
	if err != nil {
		return Member{}, fmt.Errorf("%s on %s: %w", m.Address, l.Address(), err)
	}
	if err := forgetLeft(ctx, tx, l.ID, m.Key); err != nil {
		return Member{}, fmt.Errorf("what is left of %s on %s: %w", m.Address, l.Address(), err)
	}
	return made, nil
}
