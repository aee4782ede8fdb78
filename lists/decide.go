package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
)

// ReleasePost sends a held post to the members.
func (s *Service) ReleasePost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.decide(ctx, by, id, releaseRuling())
}

func releaseRuling() ruling { return ruling{state: PostAccepted, action: "release"} }

// TrustPost is ReleasePost for an author whose later posts are not to be held either.
func (s *Service) TrustPost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.decide(ctx, by, id, trustRuling())
}

func trustRuling() ruling {
	r := releaseRuling()
	r.trust = true
	return r
}

// RejectPost turns a held post down. Its author is told the reason only where the sender had proved
// who they are: a forged From must not get mail of ours.
func (s *Service) RejectPost(ctx context.Context, by Actor, id uuid.UUID, reason string) (Post, error) {
	return s.decide(ctx, by, id, rejectRuling(reason))
}

func rejectRuling(reason string) ruling {
	return ruling{state: PostRejected, action: string(verdict.Reject), reason: cleanText(clipText(reason))}
}

// DiscardPost puts a held post aside and tells nobody.
func (s *Service) DiscardPost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.decide(ctx, by, id, discardRuling())
}

func discardRuling() ruling { return ruling{state: PostDiscarded, action: string(verdict.Discard)} }

// ruling is what is decided on a post.
type ruling struct {
	state  string
	action string
	reason string
	trust  bool
}

// decide carries out a ruling, once: of two moderators the second is told who decided.
func (s *Service) decide(ctx context.Context, by Actor, id uuid.UUID, r ruling) (Post, error) {
	var p Post
	err := s.inTxWake(ctx, func(tx pgx.Tx) (err error) {
		p, err = s.decideIn(ctx, tx, by, id, r)
		return err
	})
	return p, err
}

func (s *Service) decideIn(ctx context.Context, tx pgx.Tx, by Actor, id uuid.UUID, r ruling) (Post, error) {
	l, p, err := s.lockWaiting(ctx, tx, by, id)
	if err != nil {
		return p, err
	}
	if err := p.free(by); err != nil {
		return p, err
	}
	if r.trust {
		if err := s.trust(ctx, tx, by, l, p); err != nil {
			return p, err
		}
	}
	if p, err = s.rule(ctx, tx, by.auditName(), p, r); err != nil {
		return p, fmt.Errorf("post %s: %w", id, err)
	}
	switch r.state {
	case PostAccepted:
		err = s.countReleased(ctx, tx, l, p)
	case PostRejected:
		err = s.tellRejected(ctx, tx, l, p, r.reason)
	}
	if err != nil {
		return p, err
	}
	return p, audit(ctx, tx, by, "post."+r.action, l.ID, map[string]any{"post": id.String(), "reason": r.reason})
}

// lockWaiting is a post that waits for those who moderate its list, locked so that nobody else decides
// meanwhile, with its list.
func (s *Service) lockWaiting(ctx context.Context, tx pgx.Tx, by Actor, id uuid.UUID) (List, Post, error) {
	p, err := lockPost(ctx, tx, id)
	if noRows(err) {
		return List{}, Post{}, noSuchPost()
	}
	if err != nil {
		return List{}, Post{}, fmt.Errorf("post %s: %w", id, err)
	}
	l, err := s.moderate(ctx, tx, by, p.ListID)
	if err != nil {
		return List{}, Post{}, err
	}
	if !p.Waits() {
		return l, p, s.decidedBefore(ctx, tx, p)
	}
	return l, p, nil
}

// Waits says whether there is something to decide on the post.
func (p Post) Waits() bool { return p.State == PostHeld || p.State == PostUnconfirmed }

// rule changes the post. What was turned down may be sent again: its Message-ID is free.
func (s *Service) rule(ctx context.Context, tx pgx.Tx, actor string, p Post, r ruling) (Post, error) {
	p, err := updatePostState(ctx, tx, p.ID, r.state)
	if err != nil {
		return Post{}, err
	}
	if err := insertDecision(ctx, tx, p.ID, actor, r); err != nil {
		return Post{}, fmt.Errorf("decision: %w", err)
	}
	if r.state == PostRejected || r.state == PostDiscarded {
		if err := forgetSeen(ctx, tx, p); err != nil {
			return Post{}, fmt.Errorf("its Message-ID: %w", err)
		}
	}
	return p, nil
}

// countReleased counts a post of a new member that moderators let go: after some the next go by themselves.
func (s *Service) countReleased(ctx context.Context, tx pgx.Tx, l List, p Post) error {
	options, err := l.Rules.options()
	if err != nil {
		return fmt.Errorf("list %s: %w", l.Address(), err)
	}
	if options.NewPosts == 0 || p.authorKey() == "" || p.Kind != PostKindPost {
		return nil
	}
	if err := countReleased(ctx, tx, l.ID, p.authorKey(), options.NewPosts); err != nil {
		return fmt.Errorf("%s on %s: %w", p.Author, l.Address(), err)
	}
	return nil
}

// decidedBefore says who decided. What was done to the post without deciding does not count.
func (s *Service) decidedBefore(ctx context.Context, q querier, p Post) error {
	decisions, err := selectDecisions(ctx, q, p.ID)
	if err != nil {
		return fmt.Errorf("decisions on %s: %w", p.ID, err)
	}
	last := decisions[0]
	for _, d := range decisions[1:] {
		if d.Action != ActionEdit && d.Action != ActionForward {
			last = d
		}
	}
	if last.Actor == ActorRules {
		return Errorf(Conflict, "post.notheld", "that post is not held; it was accepted when it came")
	}
	e := Errorf(Conflict, "post.decided", "that post was decided before, by %s: it is %s", last.Actor, p.State)
	e.Params = map[string]any{"Actor": last.Actor, "State": p.State}
	return e
}

// HoldPost takes an accepted post back before any copy of it was made: from then on it waits for a
// moderator, as if the rules had held it.
func (s *Service) HoldPost(ctx context.Context, by Actor, id uuid.UUID, reason string) (Post, error) {
	var p Post
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if p, err = selectPostByID(ctx, tx, id); noRows(err) {
			return noSuchPost()
		} else if err != nil {
			return fmt.Errorf("post %s: %w", id, err)
		}
		l, err := s.moderate(ctx, tx, by, p.ListID)
		if err != nil {
			return err
		}
		if p, err = holdPost(ctx, tx, id); noRows(err) {
			return Errorf(Conflict, "post.underway", "that post is not in the queue any more: it waits for a moderator already, was decided on, or its copies are under way")
		} else if err != nil {
			return fmt.Errorf("post %s: %w", id, err)
		}
		r := ruling{action: string(verdict.Hold), reason: cleanText(clipText(reason))}
		if err := insertDecision(ctx, tx, id, by.auditName(), r); err != nil {
			return fmt.Errorf("decision on post %s: %w", id, err)
		}
		p.HeldFor = r.reason
		return audit(ctx, tx, by, "post.hold", l.ID, map[string]any{"post": id.String(), "reason": r.reason})
	})
	return p, err
}
