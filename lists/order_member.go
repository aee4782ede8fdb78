package lists

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/lists/command"
	"muster/smtp"
)

// set changes what is set of the author's membership, or shows it.
func (o *order) set(ctx context.Context, c command.Command) (CommandResult, error) {
	changes, ok := memberChanges(c)
	if !ok {
		return CommandResult{Outcome: OutcomeOption}, nil
	}
	if len(changes) == 0 {
		m, err := selectMember(ctx, o.s.pool, o.list.ID, o.author.Key())
		if noRows(err) {
			return CommandResult{Outcome: OutcomeNoMember}, nil
		}
		return CommandResult{Outcome: OutcomeSet, Rows: memberRows(m)}, err
	}
	_, err := o.s.SetMember(ctx, o.by, o.list.ID, o.author, changes)
	switch KindOf(err) {
	case NotFound:
		return CommandResult{Outcome: OutcomeNoMember}, nil
	case Denied, Invalid:
		return CommandResult{Outcome: OutcomeRefused}, nil
	}
	return CommandResult{Outcome: OutcomeDone}, err
}

// memberRows are what a command can set, as it is.
func memberRows(m Member) []CommandRow {
	var rows []CommandRow
	for _, s := range mailedSettings() {
		rows = append(rows, CommandRow{Text: s.Key + " " + m.Get(s.Key)})
	}
	return rows
}

// add makes a member of somebody for an owner.
func (o *order) add(ctx context.Context, c command.Command) (CommandResult, error) {
	box, err := smtp.ParseMailbox(c.Arg)
	if err != nil {
		return CommandResult{Outcome: OutcomeAddress}, nil
	}
	_, err = o.s.AddMember(ctx, o.by, o.list.ID, NewMember{Mailbox: box, Welcome: true})
	switch KindOf(err) {
	case Exists:
		return CommandResult{Outcome: OutcomeMember}, nil
	case Conflict:
		return CommandResult{Outcome: OutcomeGone}, nil
	case Invalid:
		return CommandResult{Outcome: OutcomeAddress}, nil
	case Denied, NotFound:
		return CommandResult{Outcome: OutcomeOwners}, nil
	}
	return CommandResult{Outcome: OutcomeDone}, err
}

// del takes a member off the list for an owner, and tells the member.
func (o *order) del(ctx context.Context, c command.Command) (CommandResult, error) {
	box, err := smtp.ParseMailbox(c.Arg)
	if err != nil {
		return CommandResult{Outcome: OutcomeAddress}, nil
	}
	err = o.s.RemoveMember(ctx, o.by, o.list.ID, box.Address, true)
	switch KindOf(err) {
	case NotFound:
		return CommandResult{Outcome: OutcomeNobody}, nil
	case Denied:
		return CommandResult{Outcome: OutcomeOwners}, nil
	}
	return CommandResult{Outcome: OutcomeDone}, err
}

// askCommands makes and mails the question of an order. Limited is an error here: nothing waits then.
func (s *Service) askCommands(ctx context.Context, o *order) error {
	t := newToken{
		Purpose: PurposeCommand, List: o.list.ID, Key: o.author.Key(), Life: confirmLife,
		Params: tokenParams{Address: o.author.String(), How: ConsentMail, Client: o.client},
	}
	params := CommandConfirmParams{}
	for _, c := range o.waits {
		c = bare(c)
		t.Params.Commands = append(t.Params.Commands, c)
		params.Commands = append(params.Commands, strings.TrimSpace(c.Said()))
	}
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		if err := deleteOpenToken(ctx, tx, t); err != nil {
			return fmt.Errorf("older question to %s on %s: %w", o.author, o.list.Address(), err)
		}
		secret, asks, err := s.question(ctx, tx, o.list, t)
		if err != nil {
			return err
		}
		if !asks {
			return tooOften(s.limits.confirmsPerAddress) // and the older question stands
		}
		params.Token, params.Reply = secret, o.list.Role("confirm+"+secret).String()
		return queueNotice(ctx, tx, Notice{Kind: NoticeCommandConfirm, List: o.list.ID, Address: o.author.String(), Params: params})
	})
}
