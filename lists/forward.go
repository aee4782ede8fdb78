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
	to := p.target.Address
	if p.target.Kind == TargetOwner {
		to = p.target.List.Role("owner")
	}
	if m.Received >= verdict.MaxReceived || m.HasPassed(a.s.cfg.Hostname, to) {
		p.outcome.Refusal = refuse(p.target.List, verdict.RuleLoop, "This message was here before: this is a mail loop")
		return nil
	}
	read, err := forwardIsRead(ctx, a.s.pool, p.target.List.ID)
	if err != nil {
		return fmt.Errorf("who reads %s: %w", to, err)
	}
	if !read { // 250 would be the end of it; so the sender's server keeps it until somebody does
		p.outcome.Refusal = &Error{Kind: Limited, Code: "forward.nobody", Msg: "Nobody reads this address yet; try again later"}
		return nil
	}
	within, err := a.withinForwards(ctx, to)
	if err != nil {
		return err
	}
	if !within {
		p.outcome.Refusal = &Error{Kind: Limited, Code: "limited", Msg: "Too much mail for this address; try again later"}
		return nil
	}
	p.decision = verdict.Decision{Action: verdict.Accept, Reason: "forward", Trace: []verdict.Step{{Rule: verdict.RuleLoop, Answer: verdict.Passed}}}
	return nil
}

// withinForwards counts mail to an address, by its sender and in all. All null senders are one.
func (a *acceptance) withinForwards(ctx context.Context, to smtp.Address) (bool, error) {
	from := "<>"
	if !a.env.From.IsZero() {
		from = a.env.From.Key()
	}
	within, err := a.s.count(ctx, a.s.pool, a.s.limits.forwardsPerSender, from+" "+to.Key())
	if err != nil || !within {
		return false, err
	}
	return a.s.count(ctx, a.s.pool, a.s.limits.forwardsPerAddress, to.Key())
}
