package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// ForwardPost mails a held post as it came, as an attachment, to an address that a moderator names.
func (s *Service) ForwardPost(ctx context.Context, by Actor, id uuid.UUID, to smtp.Address) (Post, error) {
	var p Post
	err := s.inTxWake(ctx, func(tx pgx.Tx) error {
		l, locked, err := s.lockWaiting(ctx, tx, by, id)
		if err != nil {
			return err
		}
		p = locked
		own, err := ownAddress(ctx, tx, to)
		if err != nil {
			return err
		}
		if own.Ours {
			return invalidAddress("forward.own", "%s is an address of this site; a held post is forwarded to a person", to)
		}
		within, err := s.count(ctx, tx, s.limits.postForwardsPerList, fmt.Sprint(l.ID))
		if err != nil {
			return err
		}
		if !within {
			return tooOften(s.limits.postForwardsPerList)
		}
		if err := insertDecision(ctx, tx, id, by.auditName(), ruling{action: ActionForward, reason: to.String()}); err != nil {
			return fmt.Errorf("decision on post %s: %w", id, err)
		}
		err = queueNotice(ctx, tx, Notice{Kind: NoticePostForwarded, List: l.ID, Address: to.String(), Params: PostForwardedParams{
			Author: p.Author, Subject: p.Subject, By: by.auditName(), Post: id.String(),
		}})
		if err != nil {
			return err
		}
		return audit(ctx, tx, by, "post.forward", l.ID, map[string]any{"post": id.String(), "to": to.String()})
	})
	return p, err
}
