package lists

import (
	"context"
	"fmt"

	"muster/lists/verdict"
	"muster/smtp"
)

// judgeForward takes mail for owners and admins whatever it is, as long as it does not go round in
// circles and one sender does not fill everybody's mailbox. What goes too often is asked to come
// again later.
func (a *acceptance) judgeForward(ctx context.Context, p *part) error {
	m := &a.letter.verdict
	to := p.target.forwardAddress()
	if m.Received >= verdict.MaxReceived || m.HasPassed(a.s.cfg.Hostname, to) {
		p.outcome.Refusal = refuse(p.target.List, verdict.RuleLoop, "This message was here before: this is a mail loop")
		return nil
	}
	why, err := a.s.readable(ctx, p.target)
	if err != nil {
		return err
	}
	if why != nil {
		p.outcome.Refusal = why
		return nil
	}
	within, err := a.withinForwards(ctx, to)
	if err != nil {
		return err
	}
	if !within {
		p.outcome.Refusal = tooMuchMail()
		return nil
	}
	p.decision = forwarded()
	return nil
}

func forwarded() verdict.Decision {
	return verdict.Decision{Action: verdict.Accept, Reason: "forward", Trace: []verdict.Step{{Rule: verdict.RuleLoop, Answer: verdict.Passed}}}
}

// codeNobody is the code of a refusal where nobody would read the mail.
const codeNobody = "forward.nobody"

func tooMuchMail() *Error {
	return &Error{Kind: Limited, Code: "limited", Msg: "Too much mail for this address; try again later"}
}

// readable is nil where somebody reads mail to owners or admins, else what is said to who sends it:
// 250 would be the end of the mail, so the sender's server keeps it until somebody does.
func (s *Service) readable(ctx context.Context, t Target) (*Error, error) {
	read, err := forwardIsRead(ctx, s.pool, t.List.ID)
	if err != nil {
		return nil, fmt.Errorf("who reads %s: %w", t.forwardAddress(), err)
	}
	if read {
		return nil, nil
	}
	return &Error{Kind: Limited, Code: codeNobody, Msg: "Nobody reads this address yet"}, nil
}

// MayForward says of a recipient whether mail to owners or admins can be taken now, so that one that
// has to wait makes no other wait. It counts nothing. Postmaster is always taken (RFC 5321 §4.5.1).
func (s *Service) MayForward(ctx context.Context, t Target, from smtp.Address) error {
	switch {
	case t.Kind != TargetOwner && t.Kind != TargetAdmins:
		return nil
	case t.Kind == TargetAdmins && smtp.LocalKey(t.Address.Local) == "postmaster":
		return nil
	}
	why, err := s.readable(ctx, t)
	if err != nil {
		return err
	}
	if why != nil {
		return why
	}
	to := t.forwardAddress()
	for who, l := range map[string]limit{
		forwardKey(from, to): s.limits.forwardsPerSender,
		to.Key():             s.limits.forwardsPerAddress,
	} {
		n, err := selectRate(ctx, s.pool, l.key(who))
		if err != nil {
			return fmt.Errorf("limit %s: %w", l.name, err)
		}
		if n >= l.most {
			return tooMuchMail()
		}
	}
	return nil
}

// forwardAddress is the address of owners or admins by which their mail is counted.
func (t Target) forwardAddress() smtp.Address {
	if t.Kind == TargetOwner {
		return t.List.Role("owner")
	}
	return t.Address
}

// forwardKey is by what mail of one sender to one address is counted. All null senders are one.
func forwardKey(from, to smtp.Address) string {
	if from.IsZero() {
		return "<> " + to.Key()
	}
	return from.Key() + " " + to.Key()
}

// withinForwards counts mail to an address, by its sender and in all.
func (a *acceptance) withinForwards(ctx context.Context, to smtp.Address) (bool, error) {
	within, err := a.s.count(ctx, a.s.pool, a.s.limits.forwardsPerSender, forwardKey(a.env.From, to))
	if err != nil || !within {
		return false, err
	}
	return a.s.count(ctx, a.s.pool, a.s.limits.forwardsPerAddress, to.Key())
}
