package lists

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists/command"
	"muster/smtp"
)

// Whoever moderates a list decides by answering a mail. The token in the address is what lets them: it was
// mailed to one moderator for one post or request, and is good once. From and subject are not looked at. What
// is to be done has to be the first line that they wrote themselves, so that what a program answers for
// them, or a mail that is sent back, decides nothing.

// answerQuestion carries out an answer to a question about a post or a request to join, and says whether it
// was one. Other questions are answered by any mail.
func (a *acceptance) answerQuestion(ctx context.Context, t Target) (was bool, err error) {
	asked, err := a.s.openToken(ctx, t.Detail)
	if err != nil || asked.List == nil || *asked.List != t.List.ID {
		return false, err
	}
	switch asked.Purpose {
	case PurposePost, PurposeModerate, PurposeAdmit:
	default:
		return false, nil
	}
	if a.letter.verdict.Robot {
		a.s.log.WarnContext(ctx, "an answer that a program may have sent was not looked at", "address", t.Address.String(),
			"from", a.env.From.String(), "message_id", a.letter.messageID)
		return true, nil
	}
	start, err := a.letter.start(maxCommandMail)
	if err != nil {
		return false, err
	}
	reply := command.ReadReply(plainText(start))
	if asked.Purpose == PurposePost {
		if reply.Answer == command.AnswerYes || reply.Answer == command.AnswerAccept {
			return false, nil
		}
		o, err := a.order(ctx, t.List)
		if err != nil {
			return false, err
		}
		o.answer.add(CommandResult{Outcome: OutcomeUnanswered})
		return true, a.reply(ctx, o)
	}
	m := moderation{s: a.s, secret: t.Detail, asked: asked, reply: reply}
	if err := m.carryOut(ctx); err != nil {
		return false, err
	}
	return true, m.tell(ctx, t.List)
}

// openToken is a token as it is, without using it; the zero token for none.
func (s *Service) openToken(ctx context.Context, secret string) (token, error) {
	if len(secret) != secretChars {
		return token{}, nil
	}
	t, err := selectToken(ctx, s.pool, hashSecret(strings.ToLower(secret)))
	if noRows(err) || err == nil && t.Expired && !t.Used {
		return token{}, nil
	}
	if err != nil {
		return token{}, fmt.Errorf("token: %w", err)
	}
	return t, nil
}

// moderation is what a moderator wrote, and what came of it.
type moderation struct {
	s      *Service
	secret string
	asked  token
	reply  command.Reply

	outcome ModeratedParams
}

// by is the moderator, with the right that their address has now.
func (m *moderation) by() Actor {
	by := Actor{Name: m.asked.Params.Address, knows: *m.asked.List}
	if a, err := smtp.ParseAddress(m.asked.Params.Address); err == nil {
		by.Keys = []string{a.Key()}
	}
	return by
}

// carryOut does what the reply says, and turns what stands in its way into an outcome. The token is used up
// by a decision only.
func (m *moderation) carryOut(ctx context.Context) error {
	err := m.s.inTxWake(ctx, func(tx pgx.Tx) error {
		m.outcome = ModeratedParams{}
		if m.asked.Purpose == PurposeAdmit {
			return m.admit(ctx, tx)
		}
		return m.decide(ctx, tx)
	})
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == "post.claimed":
		m.outcome.Outcome = OutcomeTaken
	case e.Kind == Conflict || e.Kind == Exists:
		m.outcome.Outcome = OutcomeDecided
	case e.Kind == NotFound || e.Kind == Denied:
		m.outcome.Outcome = OutcomeNoRight
	default:
		m.outcome.Outcome = OutcomeRefused
	}
	if actor, ok := e.Params["Actor"].(string); ok {
		m.outcome.Actor = actor
	}
	return nil
}

// use uses the token up.
func (m *moderation) use(ctx context.Context, tx pgx.Tx) error {
	_, err := m.s.takeToken(ctx, tx, m.secret, m.asked.Purpose)
	return err
}

func (m *moderation) decide(ctx context.Context, tx pgx.Tx) error {
	id, err := uuid.Parse(m.asked.Params.Post)
	if err != nil {
		return fmt.Errorf("post of a token: %w", err)
	}
	by := m.by()
	l, p, err := m.s.lockWaiting(ctx, tx, by, id)
	m.outcome.About = p.Subject
	if err != nil {
		return err
	}
	m.outcome.URL = m.s.postURL(l, p)
	var r ruling
	switch m.reply.Answer {
	case command.AnswerAccept:
		m.outcome.Outcome, r = OutcomeReleased, releaseRuling()
	case command.AnswerTrust:
		m.outcome.Outcome, r = OutcomeTrusted, trustRuling()
	case command.AnswerReject:
		reason, err := cannedOr(ctx, tx, l, m.reply.Reason)
		if err != nil {
			return err
		}
		m.outcome.Outcome, r = OutcomeRejected, rejectRuling(reason)
	case command.AnswerDiscard:
		m.outcome.Outcome, r = OutcomeDiscarded, discardRuling()
	case command.AnswerClaim:
		m.outcome.Outcome, m.outcome.Reply = OutcomeClaimed, m.address(l)
		_, err := m.s.claimIn(ctx, tx, by, id, by.auditName())
		return err
	default:
		m.outcome.Outcome, m.outcome.Reply = OutcomeUnread, m.address(l)
		return nil
	}
	if err := m.use(ctx, tx); err != nil {
		return err
	}
	_, err = m.s.decideIn(ctx, tx, by, id, r)
	return err
}

func (m *moderation) admit(ctx context.Context, tx pgx.Tx) error {
	by := m.by()
	m.outcome.About = m.asked.Params.Name
	l, err := m.s.moderatesList(ctx, tx, by, *m.asked.List)
	if err != nil {
		return err
	}
	m.outcome.URL = m.s.joinsURL(l)
	switch m.reply.Answer {
	case command.AnswerAccept, command.AnswerYes:
		m.outcome.Outcome = OutcomeAdmitted
		if err := m.use(ctx, tx); err != nil {
			return err
		}
		_, err = m.s.approveJoin(ctx, tx, by, l.ID, m.asked.Params.Request)
		return err
	case command.AnswerReject:
		m.outcome.Outcome = OutcomeRejected
		if err := m.use(ctx, tx); err != nil {
			return err
		}
		reason, err := cannedOr(ctx, tx, l, m.reply.Reason)
		if err != nil {
			return err
		}
		_, err = m.s.refuseJoin(ctx, tx, by, JoinRequest{ListID: l.ID, ID: m.asked.Params.Request}, reason)
		return err
	}
	m.outcome.Outcome, m.outcome.Reply = OutcomeUnread, m.address(l)
	return nil
}

// address is the one that was written to.
func (m *moderation) address(l List) string {
	return l.Role("confirm+" + strings.ToLower(m.secret)).String()
}

// cannedOr is the text of the answer that a reason names, or the reason itself.
func cannedOr(ctx context.Context, tx pgx.Tx, l List, reason string) (string, error) {
	all, err := selectCanned(ctx, tx, l.ID)
	if err != nil {
		return "", fmt.Errorf("answers of %s: %w", l.Address(), err)
	}
	for _, c := range all {
		if strings.EqualFold(c.Name, reason) {
			return c.Text, nil
		}
	}
	return reason, nil
}

// tell mails the moderator what came of it: to the address that the token was for, whoever wrote.
func (m *moderation) tell(ctx context.Context, l List) error {
	who := m.asked.Params.Address
	most := m.s.limits.moderatedPerAddress
	if m.outcome.Outcome == OutcomeUnread { // to a program that answers everything, this could go on for ever
		most = m.s.limits.unreadPerAddress
	}
	within, err := m.s.count(ctx, m.s.pool, most, strings.ToLower(who))
	if err != nil || !within {
		return err
	}
	if err := queueNotice(ctx, m.s.pool, Notice{Kind: NoticeModerated, List: l.ID, Address: who, Params: m.outcome}); err != nil {
		return err
	}
	m.s.cfg.Wake()
	return nil
}
