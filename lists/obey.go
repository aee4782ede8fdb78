package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"muster/lists/command"
	"muster/smtp"
)

// obey does what was mailed to the addresses that do something. What was kept is committed by now;
// an error makes the sender try again, and everything here may be done twice.
func (a *acceptance) obey(ctx context.Context) error {
	if a.over {
		return nil
	}
	for _, p := range a.parts {
		if p.outcome.Refusal != nil || p.isKept() {
			continue
		}
		var err error
		if p.target.Kind == TargetBounces {
			err = a.bounce(ctx, p.target)
		} else {
			err = a.commands(ctx, p.target)
		}
		if err != nil {
			return err
		}
		p.outcome = Outcome{Fate: FateDone}
	}
	return nil
}

// commands carries out what a mail asks for. A mail to -request is answered, in one mail, line by
// line; the other addresses ask one thing, which answers for itself unless nothing came of it.
func (a *acceptance) commands(ctx context.Context, t Target) error {
	if stray, err := a.isStray(ctx); stray || err != nil {
		return err
	}
	if t.Kind == TargetConfirm {
		if was, err := a.answerQuestion(ctx, t); err != nil || was {
			return err
		}
	}
	asked, err := a.asked(t)
	if err != nil {
		return err
	}
	o, err := a.order(ctx, t.List)
	if err != nil {
		return err
	}
	o.answer.Help = len(asked) == 0
	for _, c := range asked {
		result, err := a.command(ctx, o, c)
		if err != nil {
			return err
		}
		result.Line = a.quotable(c, result.Outcome)
		o.answer.Help = o.answer.Help || needsHelp(result.Outcome)
		o.answer.add(result)
	}
	if err := o.askAuthor(ctx); err != nil {
		return err
	}
	if t.Kind != TargetRequest && !o.answer.isNews() {
		return nil
	}
	return a.reply(ctx, o)
}

// isStray says whether a mail comes from an address of our own, or says so: whatever wrote it, an
// answer would come back here.
func (a *acceptance) isStray(ctx context.Context) (bool, error) {
	for _, from := range []smtp.Address{a.author(), a.env.From} {
		own, err := ownAddress(ctx, a.s.pool, from)
		if err != nil {
			return false, err
		}
		if own.Ours {
			a.s.log.WarnContext(ctx, "commands from an address of our own are not obeyed", "from", from.String(), "message_id", a.letter.messageID)
			return true, nil
		}
	}
	return false, nil
}

// order is what the mail asks of a list.
func (a *acceptance) order(ctx context.Context, l List) (*order, error) {
	o := &order{s: a.s, list: l, author: a.author(), by: a.sender(l), private: a.answersAuthor(), client: a.client()}
	keys := o.by.Keys
	if len(keys) == 0 {
		keys = []string{o.author.Key()}
	}
	rights, err := selectRights(ctx, a.s.pool, l.ID, keys)
	if err != nil {
		return nil, fmt.Errorf("rights of %s over list %s: %w", o.author, l.Address(), err)
	}
	o.rights = rights
	return o, nil
}

// quotable is what an answer may quote of a command. Where nobody vouches for who wrote, their words are
// for nobody, and a command is repeated as it was understood.
func (a *acceptance) quotable(c command.Command, outcome string) string {
	switch {
	case a.vouched():
		return c.Line
	case c.Verb == command.Unknown || c.Verb == command.Rest:
		return ""
	case c.Arg != "" || outcome == OutcomeOption:
		return string(c.Verb)
	}
	return c.Said()
}

// add appends a result. What is not quoted is said once: twice, it would tell nobody more.
func (p *CommandAnswerParams) add(r CommandResult) {
	again := func(o CommandResult) bool { return o.Line == r.Line && o.Outcome == r.Outcome }
	if r.Line != "" || !slices.ContainsFunc(p.Results, again) {
		p.Results = append(p.Results, r)
	}
}

// helpedByPage says whether the page of the list can do what was asked. Nobody joins a closed list.
func (p CommandAnswerParams) helpedByPage() bool {
	return p.Help || slices.ContainsFunc(p.Results, func(r CommandResult) bool {
		return r.Outcome != OutcomeClosed && r.Outcome != OutcomeNoMember
	})
}

// isNews says whether the outcome of a single command is told by no other mail.
func (p CommandAnswerParams) isNews() bool {
	switch p.Results[0].Outcome {
	case OutcomeConfirm, OutcomeMaybe, OutcomeDone, OutcomeLimited, OutcomeAnswered:
		return false
	}
	return true
}

// asked is what a mail to an address asks for.
func (a *acceptance) asked(t Target) ([]command.Command, error) {
	switch t.Kind {
	case TargetJoin:
		options, fault := command.Words(t.Detail)
		return []command.Command{{Verb: command.Join, Options: options, Fault: fault, Line: "join " + strings.ReplaceAll(t.Detail, "+", " ")}}, nil
	case TargetLeave:
		return []command.Command{{Verb: command.Leave, Line: "leave"}}, nil
	case TargetConfirm:
		return []command.Command{{Verb: command.Confirm, Token: t.Detail, Line: "confirm"}}, nil
	}
	start, err := a.letter.start(maxCommandMail)
	if err != nil {
		return nil, err
	}
	return command.Parse(command.Mail{
		Subject: a.letter.verdict.Subject, Text: plainText(start), Names: []string{t.List.Local, t.List.Address().String()},
	}), nil
}

// command carries out one. Joining and leaving have questions of their own, with words of their own.
func (a *acceptance) command(ctx context.Context, o *order, c command.Command) (CommandResult, error) {
	var outcome string
	var err error
	switch c.Verb {
	case command.Join:
		outcome, err = a.join(ctx, o, c)
	case command.Leave:
		outcome, err = a.leave(ctx, o.list)
	case command.Confirm:
		outcome, err = a.confirm(ctx, c.Token)
	default:
		return o.command(ctx, c)
	}
	outcome, err = commandOutcome(outcome, err)
	return CommandResult{Outcome: outcome}, err
}

func (a *acceptance) join(ctx context.Context, o *order, c command.Command) (string, error) {
	changes, ok := memberChanges(c)
	if !ok {
		return OutcomeOption, nil
	}
	l := o.list
	sub := Subscription{
		List: l.ID, Mailbox: a.letter.verdict.From, Client: a.client(), How: ConsentMail, From: a.joiner(l),
		Options: changes, Forgeable: !a.vouched(),
	}
	waits, err := a.s.requestJoin(ctx, sub)
	switch {
	case err != nil:
		return "", err
	case !a.answersAuthor() && l.JoinPolicy == JoinModerate, a.answersAuthor() && waits:
		return OutcomeWaits, nil
	case a.asAuthor(), a.vouched() && l.JoinPolicy == JoinOpen:
		return OutcomeDone, nil
	}
	return a.question(), nil
}

func (a *acceptance) leave(ctx context.Context, l List) (string, error) {
	outcome, err := a.s.requestLeave(ctx, Departure{List: l.ID, Address: a.author(), Client: a.client(), How: ConsentMail, From: a.sender(l)})
	switch {
	case err != nil:
		return "", err
	case a.answersAuthor() && outcome != OutcomeConfirm:
		return outcome, nil
	}
	return a.question(), nil
}

// vouched says whether the author proved to be who From says: by AUTH, or because their domain says so.
func (a *acceptance) vouched() bool { return a.authenticated() }

// answersAuthor says whether answers reach nobody but who From says, so that they may tell what
// the author is to the list.
func (a *acceptance) answersAuthor() bool {
	return a.vouched() || a.env.From.Key() == a.author().Key()
}

// question is the outcome where the author was mailed a question, or would have been.
func (a *acceptance) question() string {
	if a.answersAuthor() {
		return OutcomeConfirm
	}
	return OutcomeMaybe
}

// sender is who gives commands to a list: a person who proved it, or whose domain did, or else mail,
// which proves nothing.
func (a *acceptance) sender(l List) Actor {
	if !a.asAuthor() && a.vouched() {
		return mailActor(l, a.author())
	}
	return a.joiner(l)
}

// joiner is sender for a wish to join. What a domain vouches for is no answer to a question: a list that
// has people confirm wants theirs.
func (a *acceptance) joiner(l List) Actor {
	if a.asAuthor() {
		by := a.env.By
		by.Admin = false // to a list, they write as a person
		by.knows = l.ID
		return by
	}
	return mailTo(l.ID)
}

// client is the network address by which commands are counted; "" where it is that of a server of
// ours, or the sender proved who they are.
func (a *acceptance) client() string {
	if a.env.Trusted || a.vouched() {
		return ""
	}
	return a.env.Client
}

func (a *acceptance) confirm(ctx context.Context, secret string) (string, error) {
	asked, err := a.s.pending(ctx, secret)
	if err != nil {
		return "", err
	}
	if asked.Purpose == PurposeCommand {
		return a.s.obeyConfirmed(ctx, secret)
	}
	c, err := a.s.Confirm(ctx, secret, "")
	switch {
	case err != nil:
		return "", err
	case c.Before:
		return OutcomeBefore, nil
	case c.Waits:
		return OutcomeWaits, nil
	}
	return OutcomeDone, nil
}

// commandOutcome makes an outcome of what a person can understand, and leaves what is our own
// trouble an error.
func commandOutcome(outcome string, err error) (string, error) {
	switch KindOf(err) {
	case 0:
		return outcome, err
	case Expired:
		return OutcomeExpired, nil
	case Limited:
		return OutcomeLimited, nil
	case Denied:
		return OutcomeClosed, nil
	}
	return OutcomeRefused, nil
}

// reply mails what became of commands, a few times a day at most: to the author where that is who wrote,
// and else to the envelope's sender (RFC 3834 §4).
func (a *acceptance) reply(ctx context.Context, o *order) error {
	to := a.env.From
	if a.vouched() {
		to = o.author
	}
	within, err := a.s.count(ctx, a.s.pool, a.s.limits.answersPerAddress, to.Key())
	if err != nil || !within {
		return err
	}
	o.answer.MessageID = a.letter.verdict.MessageID
	if err := o.tell(ctx, a.s.pool, to); err != nil {
		return err
	}
	a.s.cfg.Wake()
	return nil
}
