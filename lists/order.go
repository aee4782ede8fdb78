package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"muster/lists/command"
	"muster/smtp"
)

// order is what one mail asks of a list, or one question that was answered.
type order struct {
	s       *Service
	list    List
	author  smtp.Address // of the mail
	by      Actor        // in whose name; without keys nothing is proved
	rights  Rights       // that the author has, if it is the author who asks
	private bool         // the answer reaches nobody but the author
	client  string       // by which it is counted

	answer CommandAnswerParams
	waits  []command.Command // for the author's word
}

// proved says whether the author is known to be who asks.
func (o *order) proved() bool { return len(o.by.Keys) > 0 }

// command carries out one, or keeps it for when the author says that it is theirs.
func (o *order) command(ctx context.Context, c command.Command) (CommandResult, error) {
	switch c.Verb {
	case command.Help:
		return CommandResult{Outcome: OutcomeHelp}, nil
	case command.Info:
		return CommandResult{Outcome: OutcomeInfo, Rows: o.info()}, nil
	case command.Echo:
		return CommandResult{Outcome: OutcomeEcho}, nil
	case command.End:
		return CommandResult{Outcome: OutcomeEnd}, nil
	case command.Rest:
		return CommandResult{Outcome: OutcomeRest}, nil
	case command.Unknown:
		return CommandResult{Outcome: OutcomeUnknown}, nil
	}
	lacks := o.lacks(c)
	switch {
	case lacks == OutcomeOption || lacks == OutcomeAddress:
		return CommandResult{Outcome: lacks}, nil
	case !o.private && (lacks != "" || o.needsProof(c)): // what the author is to the list is for nobody else
		if lacks == "" {
			o.waits = append(o.waits, c)
		}
		return CommandResult{Outcome: OutcomeMaybe}, nil
	case lacks != "":
		return CommandResult{Outcome: lacks}, nil
	case o.needsProof(c):
		o.waits = append(o.waits, c)
		return CommandResult{Outcome: OutcomeConfirm}, nil
	}
	return o.carryOut(ctx, c)
}

// lacks is why a command cannot be carried out whoever the author is, or for what the author is to the
// list; "" if it can.
func (o *order) lacks(c command.Command) string {
	switch c.Verb {
	case command.Set:
		if _, ok := memberChanges(c); !ok {
			return OutcomeOption
		}
		if !o.rights.Member {
			return OutcomeNoMember
		}
	case command.Who:
		if !o.seesRoster() {
			return OutcomeRoster
		}
	case command.Add, command.Del:
		if _, err := smtp.ParseMailbox(c.Arg); err != nil {
			return OutcomeAddress
		}
		if !o.rights.Manages() {
			return OutcomeOwners
		}
	case command.Stats:
		if !o.rights.Manages() {
			return OutcomeOwners
		}
	case command.Pending:
		if !o.rights.Moderates() {
			return OutcomeOwners
		}
	}
	return ""
}

// seesRoster goes by the setting expn, which says who may be told the members, here as by SMTP. Owners
// have them on their page.
func (o *order) seesRoster() bool {
	switch {
	case o.rights.Manages():
		return true
	case o.list.Expn == ExpnMembers:
		return o.rights.Knows()
	}
	return o.list.Expn == ExpnAnyone
}

// needsProof says whether a command has to wait for the author's word. What a forger could only have told
// to the author themselves does not.
func (o *order) needsProof(c command.Command) bool {
	switch {
	case o.proved():
		return false
	case c.Verb == command.Which, c.Verb == command.Set && len(c.Options) == 0:
		return !o.private
	case c.Verb == command.Who:
		return o.list.Expn != ExpnAnyone || !o.private
	}
	return true
}

// carryOut does what o.command has found to be in order.
func (o *order) carryOut(ctx context.Context, c command.Command) (CommandResult, error) {
	switch c.Verb {
	case command.Who:
		return o.who(ctx)
	case command.Which:
		return o.which(ctx)
	case command.Set:
		return o.set(ctx, c)
	case command.Add:
		return o.add(ctx, c)
	case command.Del:
		return o.del(ctx, c)
	case command.Stats:
		return o.stats(ctx)
	case command.Pending:
		return o.pending(ctx)
	}
	return CommandResult{Outcome: OutcomeUnknown}, nil
}

// memberChanges are the options of a command as changes of a member's settings; false where there is no
// such setting, no such value, or it takes text: what a stranger wrote is no name of anybody.
func memberChanges(c command.Command) ([]Change, bool) {
	if c.Fault != "" {
		return nil, false
	}
	var changes []Change
	for _, o := range c.Options {
		change := Change{o.Key, o.Value}
		if _, err := checkChange(mailedSettings(), change); err != nil {
			return nil, false
		}
		changes = append(changes, change)
	}
	return changes, true
}

// mailedSettings are the settings that a command can name, with the values that it may give: none are
// free text, and what only owners or bounces set of a state is not among them.
func mailedSettings() []Setting {
	var found []Setting
	for _, s := range MemberSettings() {
		if s.Key == "state" {
			s.Values = []string{StateActive, StateUser}
		}
		if !s.Manager && len(s.Values) > 0 && !slices.Contains(s.Values, anyNumber) {
			found = append(found, s)
		}
	}
	return found
}

// needsHelp says whether somebody should be told what they can write.
func needsHelp(outcome string) bool {
	return outcome == OutcomeHelp || outcome == OutcomeUnknown || outcome == OutcomeOption
}

// tell mails the answer.
func (o *order) tell(ctx context.Context, q querier, to smtp.Address) error {
	if o.answer.helpedByPage() {
		o.answer.URL = o.s.listURL(o.list)
	}
	if o.answer.Help {
		o.answer.Owner = o.private && o.rights.Manages()
		for _, s := range mailedSettings() {
			o.answer.Options = append(o.answer.Options, CommandOption{Key: s.Key, Values: strings.Join(s.Values, ", ")})
		}
	}
	return queueNotice(ctx, q, Notice{Kind: NoticeCommandAnswer, List: o.list.ID, Address: to.String(), Params: o.answer})
}

// askAuthor mails the author the question whether the commands that wait are theirs. A newer question
// takes the place of an older one that is open: the last word counts.
func (o *order) askAuthor(ctx context.Context) error {
	if len(o.waits) == 0 {
		return nil
	}
	err := o.s.allowClient(ctx, o.s.limits.confirmsPerClient, o.client)
	if err == nil {
		err = o.s.askCommands(ctx, o)
	}
	if KindOf(err) != Limited {
		return err
	}
	for i, r := range o.answer.Results {
		if r.Outcome == OutcomeConfirm && o.private {
			o.answer.Results[i].Outcome = OutcomeLimited
		}
	}
	return nil
}

// bare is a command without what its sender may have written into it.
func bare(c command.Command) command.Command {
	if box, err := smtp.ParseMailbox(c.Arg); err == nil {
		c.Arg = box.Address.String()
	}
	c.Line = ""
	return c
}

// obeyConfirmed carries out the commands of a question that was answered, and tells the author. It is
// used up last: what ends in between is done again rather than forgotten.
func (s *Service) obeyConfirmed(ctx context.Context, secret string) (outcome string, err error) {
	hash := hashSecret(strings.ToLower(secret))
	t, err := selectToken(ctx, s.pool, hash)
	if noRows(err) || err == nil && (t.List == nil || t.Expired && !t.Used) {
		return "", unknownToken()
	}
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	if t.Used {
		return OutcomeBefore, nil
	}
	l, err := s.tokenList(ctx, s.pool, t)
	if err != nil {
		return "", err
	}
	author := storedAddress(t.Params.Address)
	o := &order{s: s, list: l, author: author, by: mailActor(l, author), private: true}
	if o.rights, err = selectRights(ctx, s.pool, l.ID, o.by.Keys); err != nil {
		return "", fmt.Errorf("rights of %s over list %s: %w", author, l.Address(), err)
	}
	for _, c := range t.Params.Commands {
		result, err := o.command(ctx, c)
		if err != nil {
			return "", err
		}
		result.Line = c.Said()
		o.answer.add(result)
	}
	if err := useToken(ctx, s.pool, hash); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	if err := o.tell(ctx, s.pool, author); err != nil {
		return "", err
	}
	s.cfg.Wake()
	return OutcomeAnswered, nil
}
