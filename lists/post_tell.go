package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// tell writes the notices about a message, in the transaction that keeps it.
func (a *acceptance) tell(ctx context.Context, tx pgx.Tx, kept, told []*part, stored []storedPost) error {
	for i, p := range kept {
		if !stored[i].Made || !p.waits() {
			continue
		}
		if err := a.tellWaiting(ctx, tx, p); err != nil {
			return err
		}
	}
	for _, p := range told {
		if err := a.tellRefused(ctx, tx, p); err != nil {
			return err
		}
	}
	return nil
}

// tellWaiting asks the author of a post that waits for them, and tells of one that waits for moderators.
func (a *acceptance) tellWaiting(ctx context.Context, tx pgx.Tx, p *part) error {
	l, err := listByID(ctx, tx, p.target.List.ID)
	if noRows(err) { // removed since RCPT
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", p.target.List.Address(), err)
	}
	held, err := selectPostByID(ctx, tx, p.id)
	if err != nil {
		return fmt.Errorf("post %s: %w", p.id, err)
	}
	if !p.isHeld() {
		asked, err := a.challenge(ctx, tx, l, held, p.decision)
		if err != nil || asked {
			return err
		}
		if held, err = updatePostState(ctx, tx, held.ID, PostHeld); err != nil {
			return fmt.Errorf("post %s: %w", p.id, err)
		}
	}
	if err := a.s.tellHeld(ctx, tx, l, held); err != nil || !a.mayTell() || a.letter.verdict.Robot || a.env.From.IsZero() {
		return err
	}
	return a.s.tellAuthorHeld(ctx, tx, l, held)
}

// tellRefused mails the author, who proved to be who From says.
func (a *acceptance) tellRefused(ctx context.Context, tx pgx.Tx, p *part) error {
	return queueNotice(ctx, tx, Notice{
		Kind: NoticePostRefused, List: p.target.List.ID, Address: a.author().String(), Params: PostRefusedParams{
			Subject: a.letter.verdict.Subject, MessageID: a.letter.messageID, Reason: p.decision.Code(), Sentence: p.outcome.Refusal.Msg,
		},
	})
}

// tellRejected mails the author of a post what a moderator decided, where the mail reaches no
// stranger: the author proved to be who From says, or From is a member, as whom a forger gets
// the moderators' time but nobody's mail twice a day.
func (s *Service) tellRejected(ctx context.Context, tx pgx.Tx, l List, p Post, reason string) error {
	may, err := s.mayAnswer(ctx, tx, l, p)
	if err != nil || !may {
		return err
	}
	return queueNotice(ctx, tx, Notice{Kind: NoticePostRejected, List: l.ID, Address: p.Author, Params: PostRejectedParams{
		Subject: p.Subject, MessageID: p.MessageID, Reason: cleanText(clipText(reason)),
	}})
}

func (s *Service) mayAnswer(ctx context.Context, tx pgx.Tx, l List, p Post) (bool, error) {
	if p.Sender == "" || p.Author == "" {
		return false, nil
	}
	if p.Authenticated {
		return true, nil
	}
	key := p.authorKey()
	_, err := selectMember(ctx, tx, l.ID, key)
	if noRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s on %s: %w", p.Author, l.Address(), err)
	}
	return s.count(ctx, tx, s.limits.rejectionsPerAddress, key)
}
