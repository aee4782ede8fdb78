package lists

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"muster/smtp"
)

// Asker is who asks EXPN or VRFY.
type Asker struct {
	Actor    Actor // nobody in particular unless SignedIn
	SignedIn bool  // by AUTH
	Trusted  bool  // asks from a trusted network
}

// isStranger says whether the asker is nobody in particular, who is told nothing.
func (a Asker) isStranger() bool { return !a.SignedIn && !a.Trusted }

// Unanswered is why a question about addresses gets no answer: a closed set, each a reply of its own.
type Unanswered int

// The reasons, with what RFC 5321 and RFC 3463 have for them.
const (
	CannotSay    Unanswered = iota + 1 // 252 2.5.2: neither yes nor no (RFC 5321 §7.3)
	AccessDenied                       // 550 5.7.1
	NoMembers                          // 550 5.1.1: the list has no members; 250 would have to name one (RFC 5321 §3.5.2)
	NobodyHere                         // 550 5.1.1: nobody here
	NotAList                           // 550 5.1.1: a person, not a list
	Ambiguous                          // 550 5.1.4: a name without its domain, in several domains
	NeedsUTF8                          // 252 2.6.8: it would take SMTPUTF8 to say (RFC 6531 §3.7.4.2)
	Elsewhere                          // 252 2.5.2: not of a domain served here, where mail would be refused as relaying
	Unknowable                         // 252 2.5.2 as for CannotSay, which is all the client learns: the database did not answer
)

// Error says it in English, for logs.
func (r Unanswered) Error() string {
	switch r {
	case AccessDenied:
		return "access denied"
	case NoMembers:
		return "the list has no members"
	case NobodyHere:
		return "nobody here has that address"
	case NotAList:
		return "a person, not a list"
	case Ambiguous:
		return "ambiguous without a domain"
	case NeedsUTF8:
		return "needs SMTPUTF8"
	case Elsewhere:
		return "of a domain that is not served here"
	case Unknowable:
		return "the database did not answer"
	}
	return "cannot say"
}

// ambiguous is a bare name that several domains have.
type ambiguous struct{ lists []List }

func (ambiguous) Error() string { return Ambiguous.Error() }

// asked finds out what the argument of EXPN or VRFY names. A name without a domain is the default
// domain's if that has it, else that of the only domain that has it, among the lists the asker may
// know of.
func (s *Service) asked(ctx context.Context, who Asker, arg string) (Target, error) {
	if strings.Contains(arg, "@") {
		a, err := smtp.ParseAddress(arg)
		if err != nil {
			return Target{}, NobodyHere
		}
		return s.Resolve(ctx, a)
	}
	if _, err := smtp.ParseAddress(arg + "@domain.example"); err != nil {
		return Target{}, NobodyHere
	}
	d, err := s.defaultDomain(ctx)
	if err != nil {
		return Target{}, err
	}
	t := Target{Kind: TargetUnknown, Address: smtp.Address{Local: arg, Domain: d.Name}}
	if d.ID != 0 {
		if t, err = s.Resolve(ctx, t.Address); err != nil || t.Kind != TargetUnknown {
			return t, err
		}
	}
	return s.elsewhere(ctx, who, t)
}

// elsewhere looks for a bare name in all domains.
func (s *Service) elsewhere(ctx context.Context, who Asker, t Target) (Target, error) {
	local := smtp.LocalKey(t.Address.Local)
	if isPostmaster(local) {
		t.Kind = TargetAdmins
		return t, nil
	}
	name, kind, detail := localName(local)
	by := who.Actor
	if who.Trusted {
		by.Admin = true // may expand any of them, so may know of any
	}
	found, err := selectListsByName(ctx, s.pool, by, name)
	if err != nil {
		return Target{}, fmt.Errorf("lists named %s: %w", clip(name), err)
	}
	switch len(found) {
	case 0:
		return t, nil
	case 1:
		t.Kind, t.List, t.Detail = kind, found[0], detail
		t.Domain, t.Address.Domain = found[0].DomainID, found[0].Domain
		return t, nil
	}
	return Target{}, ambiguous{found}
}

// mayExpand says whether the list's expn names the asker, and whether hidden members are theirs to
// see: they are for owners, not for whoever is on the right network.
func (s *Service) mayExpand(ctx context.Context, who Asker, l List) (may, hidden bool, err error) {
	var rights Rights
	if who.SignedIn {
		if rights, err = rightsOf(ctx, s.pool, who.Actor, l.ID); err != nil {
			return false, false, fmt.Errorf("rights over list %s: %w", l.Address(), err)
		}
	}
	switch l.Expn {
	case ExpnNobody:
		return false, false, nil
	case ExpnAnyone:
		may = true
	case ExpnMembers:
		may = rights.Knows()
	case ExpnOwners:
		may = rights.Manages()
	}
	return may || who.Trusted, rights.Manages(), nil
}

// denied is the why of a list to somebody whom its expn does not name.
func denied(who Asker, l List) error {
	if who.isStranger() || l.Expn == ExpnNobody {
		return CannotSay
	}
	return AccessDenied
}

// isPerson says whether an address is a member's whom the asker may see: a trusted network may see
// those who do not hide, an owner those of their lists. The mailbox is as the list knows it.
func (s *Service) isPerson(ctx context.Context, who Asker, a smtp.Address) (smtp.Mailbox, bool, error) {
	if who.isStranger() {
		return smtp.Mailbox{}, false, nil
	}
	m, err := selectVisibleMember(ctx, s.pool, who, a.Key())
	if noRows(err) {
		return smtp.Mailbox{}, false, nil
	}
	if err != nil {
		return smtp.Mailbox{}, false, fmt.Errorf("member %s: %w", a, err)
	}
	return m.Mailbox(), true, nil
}

// refuse logs who was refused what; a failure of our own is not an answer either.
func (s *Service) refuse(ctx context.Context, verb string, who Asker, arg string, err error) error {
	var why Unanswered
	if errors.As(err, new(ambiguous)) {
		why = Ambiguous
	}
	switch {
	case why != 0, errors.As(err, &why):
		if who.isStranger() && why != NeedsUTF8 { // which only a list that anyone may expand needs
			why = CannotSay
		}
		s.log.InfoContext(ctx, "question refused", "verb", verb, "of", clip(arg), "by", who.Actor.Name,
			"client", who.Actor.Client, "reason", why.Error())
		return why
	}
	s.log.ErrorContext(ctx, "question not answered", "verb", verb, "of", clip(arg), "client", who.Actor.Client, "error", err)
	return Unknowable
}
