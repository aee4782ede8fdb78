package lists

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/jhillyerd/enmime/v2"

	"muster/lists/command"
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
	if t.Kind == TargetConfirm {
		if was, err := a.answerQuestion(ctx, t); err != nil || was {
			return err
		}
	}
	asked, err := a.asked(t)
	if err != nil {
		return err
	}
	answer := CommandAnswerParams{URL: a.s.listURL(t.List), Help: len(asked) == 0}
	for _, c := range asked {
		outcome, err := a.command(ctx, t.List, c)
		if err != nil {
			return err
		}
		answer.Help = answer.Help || c.Verb == command.Help || c.Verb == command.Unknown
		answer.add(CommandResult{Line: a.quotable(c), Outcome: outcome})
	}
	if !answer.helpedByPage() {
		answer.URL = ""
	}
	if t.Kind != TargetRequest && !answer.isNews() {
		return nil
	}
	return a.answer(ctx, t.List, answer)
}

// quotable is what an answer may quote of a command: what is none are words of whoever wrote, which
// are for nobody but themselves.
func (a *acceptance) quotable(c command.Command) string {
	if c.Verb == command.Unknown && !a.env.By.Has(a.env.From.Key()) {
		return ""
	}
	return c.Line
}

// add appends a result. What is not quoted is said once: twice, it would tell nobody more.
func (p *CommandAnswerParams) add(r CommandResult) {
	if r.Line != "" || !slices.Contains(p.Results, r) {
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
	case OutcomeConfirm, OutcomeMaybe, OutcomeDone, OutcomeLimited:
		return false
	}
	return true
}

// asked is what a mail to an address asks for.
func (a *acceptance) asked(t Target) ([]command.Command, error) {
	switch t.Kind {
	case TargetJoin:
		return []command.Command{{Verb: command.Join, Line: "join"}}, nil
	case TargetLeave:
		return []command.Command{{Verb: command.Leave, Line: "leave"}}, nil
	case TargetConfirm:
		return []command.Command{{Verb: command.Confirm, Token: t.Detail, Line: "confirm"}}, nil
	}
	start, err := a.letter.start(maxCommandMail)
	if err != nil {
		return nil, err
	}
	return command.Parse(a.letter.verdict.Subject, plainText(start)), nil
}

// command carries out one.
func (a *acceptance) command(ctx context.Context, l List, c command.Command) (outcome string, err error) {
	switch c.Verb {
	case command.Join:
		outcome, err = a.join(ctx, l)
	case command.Leave:
		outcome, err = a.leave(ctx, l)
	case command.Confirm:
		outcome, err = a.confirm(ctx, c.Token)
	case command.Help:
		return OutcomeHelp, nil
	case command.End:
		return OutcomeEnd, nil
	default:
		return OutcomeUnknown, nil
	}
	return commandOutcome(outcome, err)
}

func (a *acceptance) join(ctx context.Context, l List) (string, error) {
	waits, err := a.s.requestJoin(ctx, Subscription{List: l.ID, Mailbox: a.letter.verdict.From, Client: a.client(), How: ConsentMail, From: a.sender(l)})
	switch {
	case err != nil:
		return "", err
	case !a.answersAuthor() && l.JoinPolicy == JoinModerate, a.answersAuthor() && waits:
		return OutcomeWaits, nil
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

// answersAuthor says whether answers reach nobody but who From says, so that they may tell what
// the author is to the list.
func (a *acceptance) answersAuthor() bool {
	return a.asAuthor() || a.env.From.Key() == a.author().Key()
}

// question is the outcome where the author was mailed a question, or would have been.
func (a *acceptance) question() string {
	if a.answersAuthor() {
		return OutcomeConfirm
	}
	return OutcomeMaybe
}

// sender is who gives commands to a list: a person who proved it, or else mail, which proves nothing.
func (a *acceptance) sender(l List) Actor {
	if a.asAuthor() {
		by := a.env.By
		by.Admin = false // to a list, they write as a person
		return by
	}
	return mailTo(l.ID)
}

// client is the network address by which commands are counted; "" where it is that of a server of
// ours, or the sender proved who they are.
func (a *acceptance) client() string {
	if a.env.Trusted || a.asAuthor() {
		return ""
	}
	return a.env.Client
}

func (a *acceptance) confirm(ctx context.Context, secret string) (string, error) {
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

// answer mails what became of commands to the envelope's sender (RFC 3834 §4), a few times a day
// at most, and never to a program, nor to an address of our own.
func (a *acceptance) answer(ctx context.Context, l List, params CommandAnswerParams) error {
	to := a.env.From
	if a.letter.verdict.Robot || to.IsZero() {
		return nil
	}
	own, err := ownAddress(ctx, a.s.pool, to)
	if err != nil || own.Ours {
		return err
	}
	within, err := a.s.count(ctx, a.s.pool, a.s.limits.answersPerAddress, to.Key())
	if err != nil || !within {
		return err
	}
	if err := queueNotice(ctx, a.s.pool, Notice{Kind: NoticeCommandAnswer, List: l.ID, Address: to.String(), Params: params}); err != nil {
		return err
	}
	a.s.cfg.Wake()
	return nil
}

// maxCommandMail is how much of a mail is looked at for commands.
const maxCommandMail = 64 << 10

// Bounds of a mail that is taken apart for its text.
const (
	maxMIMEParts = 1000
	maxMIMEDepth = 100
)

// plainText is the text of a message as a person reads it; "" where there is none that can be got
// at.
func plainText(raw []byte) (text string) {
	if bytes.Count(raw, []byte("\n--")) > 2*maxMIMEParts || bytes.Count(bytes.ToLower(raw), []byte("multipart/")) > maxMIMEDepth {
		return ""
	}
	defer func() {
		if recover() != nil { // whatever a stranger sent, the others' mail must go on
			text = ""
		}
	}()
	e, err := enmime.NewParser(enmime.SkipMalformedParts(true), enmime.MaxStoredPartErrors(10)).ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(e.Text, "?")
}
