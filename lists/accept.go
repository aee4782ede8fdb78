package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"muster/lists/mailauth"
	"muster/lists/verdict"
	"muster/smtp"
)

// Accept decides on a message and keeps it: one transaction for all recipients. When it returns
// without an error, every Outcome that is no refusal is kept for good; with an error nothing is
// known, and the sender should try again. That makes no second post of the first, but where nothing
// looks for a Message-ID: in mail to the site (postmaster, abuse), and in what is held because
// another message had it.
func (s *Service) Accept(ctx context.Context, env Envelope, m Message) ([]Outcome, error) {
	l, err := s.readLetter(m)
	if err != nil {
		return nil, err
	}
	a := &acceptance{s: s, env: env, letter: l, at: s.cfg.Now()}
	a.addTargets()
	for _, step := range []func(context.Context) error{a.judge, a.authenticate, a.settle, a.keep, a.settleConflicts, a.obey} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	outcomes := a.outcomes()
	s.refused.add(outcomes)
	return outcomes, nil
}

// acceptance is one message on its way in.
type acceptance struct {
	s       *Service
	env     Envelope
	letter  *letter
	at      time.Time
	parts   []*part
	indexOf []int // for each recipient, into parts
	over    bool  // refused as a whole: nothing more is done

	looked  bool   // who vouches for the message was looked into
	authres string // our Authentication-Results field; "" where nobody looked
	found   mailauth.Finding
	read    struct { // what was read of the message because a rule asked
		text      *string
		structure *verdict.Structure
	}
	dry bool // only to tell what would happen: nothing is counted
}

// part is what the message is to one address. A recipient named twice is one part.
type part struct {
	target   Target
	facts    verdict.Facts
	decision verdict.Decision
	held     bool // instead of being refused
	told     bool // who sent it is told of the refusal by mail
	owns     bool // keeps others with its Message-ID out, from now on
	id       uuid.UUID
	outcome  Outcome
}

func (a *acceptance) addTargets() {
	type name struct {
		kind   TargetKind
		list   int64
		domain int64
		detail string
	}
	seen := map[name]int{}
	for _, t := range a.env.To {
		key := name{kind: t.Kind, list: t.List.ID, domain: t.Domain}
		if t.Kind == TargetConfirm || t.Kind == TargetBounces { // of others the first one counts, if it means anything
			key.detail = t.Detail
		}
		at, again := seen[key]
		if !again {
			at = len(a.parts)
			seen[key] = at
			a.parts = append(a.parts, &part{target: t, owns: true})
		}
		a.indexOf = append(a.indexOf, at)
	}
}

func (a *acceptance) outcomes() []Outcome {
	all := make([]Outcome, len(a.indexOf))
	for i, at := range a.indexOf {
		all[i] = a.parts[at].outcome
	}
	return all
}

// signedIn says whether the sender used AUTH.
func (a *acceptance) signedIn() bool { return a.env.By.Person != 0 }

// asAuthor says whether From is an address that the sender proved to be theirs.
func (a *acceptance) asAuthor() bool {
	return a.signedIn() && a.letter.verdict.FromFault == "" && a.env.By.Has(a.author().Key())
}

// author is the address of From; zero where there is not exactly one.
func (a *acceptance) author() smtp.Address {
	if a.letter.verdict.FromFault != "" {
		return smtp.Address{}
	}
	return a.letter.verdict.From.Address
}

// judge decides on each part by itself.
func (a *acceptance) judge(ctx context.Context) error {
	standings, err := a.standings(ctx)
	if err != nil {
		return err
	}
	for _, p := range a.parts {
		switch p.target.Kind {
		case TargetPost:
			err = a.judgePost(ctx, p, standings)
		case TargetOwner, TargetAdmins:
			err = a.judgeForward(ctx, p)
		case TargetRequest, TargetJoin, TargetLeave, TargetConfirm:
			a.judgeCommand(p)
		case TargetBounces: // taken as it is
		default:
			p.outcome.Refusal = unknownRecipient(p.target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// standings is what the author is to the lists that the message is for, by list. AUTH counts for
// every address that a person proved.
func (a *acceptance) standings(ctx context.Context) (map[int64]standing, error) {
	keys := a.authorKeys()
	byList := make(map[int64]standing, len(a.parts))
	var ids []int64
	for _, p := range a.parts {
		if p.target.Kind != TargetPost {
			continue
		}
		if st, ok := p.target.foreseen.of(keys[0], a.s.cfg.Now()); ok && !a.asAuthor() {
			byList[p.target.List.ID] = st
		} else {
			ids = append(ids, p.target.List.ID)
		}
	}
	if len(ids) == 0 {
		return byList, nil
	}
	found, err := selectStandings(ctx, a.s.pool, ids, keys)
	if err != nil {
		return nil, fmt.Errorf("standing of %s: %w", a.author(), err)
	}
	for _, st := range found {
		byList[st.List] = st
	}
	return byList, nil
}

func (a *acceptance) judgePost(ctx context.Context, p *part, standings map[int64]standing) error {
	st, ok := standings[p.target.List.ID]
	if !ok { // removed since RCPT
		p.outcome.Refusal = unknownRecipient(p.target)
		return nil
	}
	l := p.target.List
	sealed, err := a.ownSeal(ctx, l)
	if err != nil {
		return err
	}
	if err := a.gather(ctx, p, st, sealed); err != nil {
		return err
	}
	return a.rule(ctx, p)
}

// gather puts together what is known of a post to a list without asking more.
func (a *acceptance) gather(ctx context.Context, p *part, st standing, sealed bool) error {
	site, err := a.s.siteRules(ctx)
	if err != nil {
		return err
	}
	l := p.target.List
	options, err := st.Rules.options()
	if err != nil {
		return fmt.Errorf("list %s: %w", l.Address(), err)
	}
	p.facts = verdict.Facts{
		Message: a.letter.verdict, Header: a.letter.header, Size: a.letter.Size, MaxSize: a.s.cfg.MaxMessage,
		NullSender: a.env.From.IsZero(), ListID: l.ListID(), ListKey: l.Address().Key(), OwnSeal: sealed,
		Policy: st.Policy, Standing: st.facts(), SignedIn: a.signedIn(), AsAuthor: a.asAuthor(),
		Options: options, SiteRules: site.headers, Banned: site.bans || st.Rules.hasBans(),
	}
	return nil
}

// facts is what the author is to the list, for its rules.
func (st standing) facts() verdict.Standing {
	return verdict.Standing{
		Member: st.Member, Moderates: st.Moderates, Trusted: st.Trusted, Moderation: verdict.Action(st.Moderation), New: st.New,
	}
}

// rule asks the rules of the list, with all that is known by now and all that they ask for.
func (a *acceptance) rule(ctx context.Context, p *part) error {
	if err := a.decide(ctx, p); err != nil {
		return err
	}
	if p.decision.Action == verdict.Confirm && a.letter.verdict.Robot { // nobody would answer
		p.decision.Action = verdict.Hold
	}
	switch p.decision.Action {
	case verdict.Reject:
		p.outcome.Refusal = refusal(p.target.List, p.decision)
	case verdict.Discard:
		p.owns = false // what is thrown away keeps nothing else out
	}
	return nil
}

// ownSeal says whether the message carries a seal of the list, or comes from its bounce address: a
// copy of ours that was sent back to where it came from.
func (a *acceptance) ownSeal(ctx context.Context, l List) (bool, error) {
	if from := a.env.From; from.DomainKey() == l.Domain {
		if name, kind, _ := localName(smtp.LocalKey(from.Local)); kind == TargetBounces && name == l.Local {
			return true, nil
		}
	}
	if len(a.letter.verdict.Seals) == 0 {
		return false, nil
	}
	sealer, err := a.s.Sealer(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(a.letter.verdict.Seals, func(seal string) bool {
		_, leave := sealer.VerifyLeave(l.ID, seal)
		_, bounce := sealer.VerifyBounce(l.ID, seal)
		return leave || bounce
	}), nil
}

// judgeCommand keeps programs from giving commands: what answers a question by itself has not
// agreed to anything (RFC 3834 §2), and what other lists and bulk mailers send is for readers.
func (a *acceptance) judgeCommand(p *part) {
	m := &a.letter.verdict
	switch {
	case a.env.From.IsZero() || m.Robot:
		p.outcome.Refusal = refuse(p.target.List, verdict.RuleAutomatic, "Automatic mail gives no commands here")
	case m.FromFault != "":
		p.outcome.Refusal = refuse(p.target.List, verdict.RuleFrom, fromSentence)
	case m.Received >= verdict.MaxReceived || m.HasPassed(a.s.cfg.Hostname, p.target.Address):
		p.outcome.Refusal = refuse(p.target.List, verdict.RuleLoop, loopSentence)
	case a.signedIn() && !a.asAuthor():
		p.outcome.Refusal = refuse(p.target.List, verdict.RuleAuthor, authorSentence)
	}
}

// settle sees to it that one answer is right for all recipients, where there is only one. What
// some take and others do not is accepted, and what was refused is told by mail to who proved who
// they are; for anybody else, a mail could go to the wrong person, so it is held with the reason
// for which it was refused. What nobody can be told and nobody should hold is refused as a whole:
// the sender's own server tells them, and nothing is lost without a word. What is to be tried again
// later is answered before anything is kept; but that nobody reads one address puts off no mail that
// others take.
func (a *acceptance) settle(context.Context) error {
	if a.env.Each {
		return nil
	}
	judged := a.judged()
	taken, later := false, (*Error)(nil)
	for _, p := range judged {
		switch why := p.outcome.Refusal; {
		case why == nil:
			taken = true
		case why.Kind == Limited && why.Code != codeNobody:
			a.refuseAll(why)
			return nil
		case why.Kind == Limited:
			later = why
		}
	}
	switch {
	case !taken && later != nil:
		a.refuseAll(later)
		return nil
	case !taken:
		a.refuseRest(judged[0].outcome.Refusal)
		return nil
	}
	for _, p := range judged {
		if why := p.outcome.Refusal; why != nil && !a.canDivert(p) {
			a.refuseAll(why)
			return nil
		}
	}
	for _, p := range a.parts {
		if p.outcome.Refusal != nil {
			a.divert(p)
		}
	}
	return nil
}

// judged are the parts whose answer is the message's: those that are kept for somebody to read. A
// command or a bounce has no say beside these, as its address takes nearly everything.
func (a *acceptance) judged() []*part {
	read := slices.DeleteFunc(slices.Clone(a.parts), func(p *part) bool { return !p.isRead() })
	if len(read) == 0 {
		return a.parts
	}
	return read
}

// isCommand says whether what mail to the address does depends on who sent it. A token is proof enough.
func (p *part) isCommand() bool {
	return p.target.Kind == TargetRequest || p.target.Kind == TargetJoin || p.target.Kind == TargetLeave
}

// isRead says whether mail to the address is for people.
func (p *part) isRead() bool {
	return p.target.Kind == TargetPost || p.target.Kind == TargetOwner || p.target.Kind == TargetAdmins
}

// refuseRest refuses the message as a whole where those that count have refused it.
func (a *acceptance) refuseRest(why *Error) {
	a.over = true
	for _, p := range a.parts {
		if p.outcome.Refusal == nil {
			p.outcome = Outcome{Refusal: why}
		}
	}
}

func (a *acceptance) refuseAll(why *Error) {
	a.over = true
	for _, p := range a.parts {
		p.outcome = Outcome{Refusal: why}
	}
}

// canDivert says whether there is another way for a part that is refused. A list that is gone can
// write to nobody. What is refused for what it is, whoever sends it, is for no moderator to decide.
func (a *acceptance) canDivert(p *part) bool {
	why := p.outcome.Refusal
	switch {
	case why.Kind == NotFound:
		return false
	case p.target.Kind == TargetPost:
		return a.asAuthor() || !isForAll(why)
	}
	return keepsAnyway(why)
}

// divert finds another way for a part that is refused while others are taken.
func (a *acceptance) divert(p *part) {
	why := p.outcome.Refusal
	switch {
	case !p.isRead(): // a command by a program: it is for nobody to read
		a.s.log.Warn("refused beside others that took the message", "address", p.target.Address.String(),
			"from", a.env.From.String(), "message_id", a.letter.messageID, "reason", why.Code)
	case p.target.Kind != TargetPost:
		p.outcome.Refusal, p.decision = nil, forwarded()
	case a.mayTell():
		p.told = true
	default:
		p.held = true
	}
}

// keepsAnyway says whether mail to owners or admins is kept in spite of what it would be refused
// for: it goes out when there is somebody, and a Message-ID that was used before bothers no person.
func keepsAnyway(why *Error) bool { return why.Code == codeNobody || why.Code == CodeDuplicate }

// isForAll says whether a refusal is by a rule that is the same for every list, and is no policy.
func isForAll(why *Error) bool {
	switch strings.TrimPrefix(why.Code, refusalCode) {
	case verdict.RuleLoop, verdict.RuleAutomatic, verdict.RuleFrom:
		return true
	}
	return false
}
