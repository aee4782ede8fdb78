package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// A claim says to the other moderators that somebody looks at a post. It ends with a decision, when it is
// given up, or by itself after claimLife (store_moderate.go), so that a post is not left to somebody who
// went home.

// ClaimPost says that the actor looks at a post. One who claimed it before may do so again, which begins
// the time anew.
func (s *Service) ClaimPost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.claim(ctx, by, id, by.auditName())
}

// UnclaimPost gives a claim up: one's own, or as an owner of the list anybody's.
func (s *Service) UnclaimPost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.claim(ctx, by, id, "")
}

func (s *Service) claim(ctx context.Context, by Actor, id uuid.UUID, who string) (Post, error) {
	var p Post
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		p, err = s.claimIn(ctx, tx, by, id, who)
		return err
	})
	return p, err
}

func (s *Service) claimIn(ctx context.Context, tx pgx.Tx, by Actor, id uuid.UUID, who string) (Post, error) {
	l, p, err := s.lockWaiting(ctx, tx, by, id)
	if err != nil {
		return p, err
	}
	action := "post.claim"
	if who == "" {
		action = "post.unclaim"
	}
	if err := p.free(by); err != nil {
		rights, rightsErr := rightsOf(ctx, tx, by, l.ID)
		if rightsErr != nil {
			return p, fmt.Errorf("rights over list %s: %w", l.Address(), rightsErr)
		}
		if who != "" || !rights.Manages() {
			return p, err
		}
	}
	if p, err = updateClaim(ctx, tx, id, who); err != nil {
		return p, fmt.Errorf("claim of post %s: %w", id, err)
	}
	return p, audit(ctx, tx, by, action, l.ID, map[string]any{"post": id.String()})
}

// free is an error where somebody else has claimed the post.
func (p Post) free(by Actor) error {
	if p.ClaimedBy == "" || p.ClaimedBy == by.auditName() {
		return nil
	}
	if a, err := smtp.ParseAddress(p.ClaimedBy); err == nil && by.Has(a.Key()) {
		return nil
	}
	e := Errorf(Conflict, "post.claimed", "%s has claimed that post and looks at it; a claim ends by itself after %s", p.ClaimedBy, waitWords(claimLife))
	e.Params = map[string]any{"Actor": p.ClaimedBy}
	return e
}
