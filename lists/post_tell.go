package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// tell writes the notices about a message, in the transaction that keeps it.
func (a *acceptance) tell(ctx context.Context, tx pgx.Tx, kept, told []*part, stored []storedPost) error {
	for i, p := range kept {
		if !p.isHeld() || !stored[i].Made {
			continue
		}
		params := HeldParams{
			Author: a.author().String(), Subject: a.letter.verdict.Subject, Size: a.letter.Size, Reason: p.decision.Code(),
		}
		if err := a.s.tellHeld(ctx, tx, p.target.List, p.id, params); err != nil {
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

// tellHeld mails those who moderate a list, once each. Beyond a limit they are not mailed about
// every one: the page shows them all.
func (s *Service) tellHeld(ctx context.Context, tx pgx.Tx, l List, post uuid.UUID, params HeldParams) error {
	within, err := s.count(ctx, tx, s.limits.heldPerList, fmt.Sprint(l.ID))
	if err != nil || !within {
		return err
	}
	ref, err := selectPostRef(ctx, tx, post)
	if err != nil {
		return fmt.Errorf("post %s: %w", post, err)
	}
	params.URL = s.url("manage", "lists", l.Address().String(), "posts", ref)
	roles, err := selectRoles(ctx, tx, l.ID)
	if err != nil {
		return fmt.Errorf("roles of %s: %w", l.Address(), err)
	}
	mailed := map[string]bool{}
	for _, r := range roles {
		if mailed[r.Key] {
			continue
		}
		mailed[r.Key] = true
		if err := queueNotice(ctx, tx, Notice{Kind: NoticeHeld, List: l.ID, Address: r.Address, Params: params}); err != nil {
			return err
		}
	}
	return nil
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
