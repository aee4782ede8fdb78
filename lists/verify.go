package lists

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"muster/smtp"
)

// Verify answers VRFY: one mailbox where the argument is that of somebody or something here, several
// where it is ambiguous, or a Unanswered.
func (s *Service) Verify(ctx context.Context, who Asker, arg string, utf8 bool) ([]smtp.Mailbox, error) {
	found, err := s.verify(ctx, who, arg)
	if err != nil {
		return nil, s.refuse(ctx, "VRFY", who, arg, err)
	}
	for _, m := range found {
		if !utf8 && !m.Address.ASCII() {
			return nil, s.refuse(ctx, "VRFY", who, arg, NeedsUTF8)
		}
	}
	return found, nil
}

func (s *Service) verify(ctx context.Context, who Asker, arg string) ([]smtp.Mailbox, error) {
	if who.isStranger() {
		return nil, CannotSay
	}
	t, err := s.asked(ctx, who, arg)
	var several ambiguous
	if errors.As(err, &several) {
		return possibilities(several.lists), nil
	}
	if err != nil {
		return nil, err
	}
	switch t.Kind {
	case TargetForeign, TargetUnknown:
		return s.verifyPerson(ctx, who, t)
	case TargetAdmins:
		return one(s.site(t)), nil
	}
	rights, err := rightsOf(ctx, s.pool, who.Actor, t.List.ID)
	if err != nil {
		return nil, fmt.Errorf("rights over list %s: %w", t.List.Address(), err)
	}
	if t.Kind == TargetPost {
		if !mayVerify(who, t.List, rights) {
			return nil, CannotSay
		}
		t.Address = t.List.Address()
	}
	m := smtp.Mailbox{Address: t.Address}
	if t.List.Advertised || who.Trusted || rights.Knows() { // else the name would tell what the address does not
		m.Name = t.List.Name
	}
	if t.Kind == TargetOwner && m.Name != "" {
		m.Name += " owners"
	}
	return one(m), nil
}

// site is postmaster or abuse with the domain that it is to have in a reply (RFC 5321 §3.5.2).
func (s *Service) site(t Target) smtp.Mailbox {
	a := t.Address
	if a.Domain == "" {
		a.Domain = s.cfg.Hostname
	}
	name := smtp.LocalKey(a.Local)
	return smtp.Mailbox{Name: strings.ToUpper(name[:1]) + name[1:], Address: a}
}

func one(m smtp.Mailbox) []smtp.Mailbox { return []smtp.Mailbox{m} }

func possibilities(lists []List) []smtp.Mailbox {
	boxes := make([]smtp.Mailbox, len(lists))
	for i, l := range lists {
		boxes[i] = smtp.Mailbox{Name: l.Name, Address: l.Address()}
	}
	return boxes
}

// verifyPerson is for an address that is none of ours.
func (s *Service) verifyPerson(ctx context.Context, who Asker, t Target) ([]smtp.Mailbox, error) {
	m, visible, err := s.isPerson(ctx, who, t.Address)
	switch {
	case err != nil:
		return nil, err
	case visible:
		return one(m), nil
	case t.Kind == TargetForeign:
		return nil, Elsewhere
	}
	return nil, s.hiddenOrUnknown(ctx, t)
}

// hiddenOrUnknown keeps a member who hides from being denied: an address of a served domain may be
// a person's behind the same mail server.
func (s *Service) hiddenOrUnknown(ctx context.Context, t Target) error {
	known, err := isMemberAnywhere(ctx, s.pool, t.Address.Key())
	if err != nil {
		return fmt.Errorf("member %s: %w", t.Address, err)
	}
	if known {
		return CannotSay
	}
	return NobodyHere
}

// mayVerify is for those who may expand the list or post to it (RFC 5321 §3.5.1: where a message
// would be delivered to everyone on it).
func mayVerify(who Asker, l List, rights Rights) bool {
	return who.Trusted || rights.Moderates() || l.PostPolicy == PostAnyone || l.PostPolicy == PostMembers && rights.Member ||
		rights.Member && l.Expn != ExpnNobody && l.Expn != ExpnOwners || l.Expn == ExpnAnyone
}
