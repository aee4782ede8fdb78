package lists

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
)

// ActorClock is the actor of what happens by time.
const ActorClock = "clock"

// Reasons of what the clock decides.
const (
	ReasonExpired     = "expired"     // no moderator decided in time
	ReasonUnconfirmed = "unconfirmed" // the author did not answer in time
)

// tellHeld mails those who moderate a list about a post, each with an address of their own that decides
// when written to. Beyond a limit they are not mailed about every one: the page shows them all.
func (s *Service) tellHeld(ctx context.Context, tx pgx.Tx, l List, p Post) error {
	if l.ModeratorNotices != NoticesAtOnce {
		return nil
	}
	within, err := s.count(ctx, tx, s.limits.heldPerList, fmt.Sprint(l.ID))
	if err != nil || !within {
		return err
	}
	params := HeldParams{
		Author: p.Author, Subject: p.Subject, Size: p.Size, Reason: p.HeldFor, URL: s.postURL(l, p), Days: l.MaxHoldDays,
	}
	answers, err := selectCanned(ctx, tx, l.ID)
	if err != nil {
		return fmt.Errorf("answers of %s: %w", l.Address(), err)
	}
	params.Canned = cannedNames(answers)
	return s.tellModerators(ctx, tx, l, func(r Role) (Notice, error) {
		var err error
		params.Reply, err = s.askModerator(ctx, tx, l, r, p, forever)
		return Notice{Kind: NoticeHeld, Params: params}, err
	})
}

func (s *Service) postURL(l List, p Post) string {
	return s.url("manage", "lists", l.Address().String(), "posts", p.Ref)
}

// tellModerators mails what each of those who moderate a list is to be told, once each.
func (s *Service) tellModerators(ctx context.Context, tx pgx.Tx, l List, what func(Role) (Notice, error)) error {
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
		n, err := what(r)
		if err != nil {
			return err
		}
		n.List, n.Address = l.ID, r.Address
		if err := queueNotice(ctx, tx, n); err != nil {
			return err
		}
	}
	return nil
}

// forever is how long a token is good for what has no end of its own.
const forever = 366 * 24 * time.Hour

// askModerator makes the address by which one moderator decides on one post, once. It is good for as long
// as the post may wait, and no longer than a time.
func (s *Service) askModerator(ctx context.Context, tx pgx.Tx, l List, r Role, p Post, life time.Duration) (string, error) {
	if l.MaxHoldDays > 0 {
		life = min(life, time.Duration(l.MaxHoldDays+1)*24*time.Hour)
	}
	return s.replyAddress(ctx, tx, l, newToken{
		Purpose: PurposeModerate, Key: r.Key, Life: life, Params: tokenParams{Address: r.Address, Post: p.ID.String()},
	})
}

// replyAddress makes a token of a moderator and the address it belongs to. There may be several that are
// open, each for something else: what tells them apart stands in the key.
func (s *Service) replyAddress(ctx context.Context, tx pgx.Tx, l List, t newToken) (string, error) {
	secret, hash := newSecret()
	t.List, t.Key = l.ID, t.Key+" "+uuid.NewString()
	if _, err := insertToken(ctx, tx, hash, t); err != nil {
		return "", fmt.Errorf("token of %s on %s: %w", t.Params.Address, l.Address(), err)
	}
	return l.Role("confirm+" + secret).String(), nil
}

// tellAuthorHeld mails the author of a post, who proved to be who From says, that it waits.
func (s *Service) tellAuthorHeld(ctx context.Context, tx pgx.Tx, l List, p Post) error {
	if !l.TellHeld {
		return nil
	}
	within, err := s.count(ctx, tx, s.limits.heldPerAddress, p.authorKey())
	if err != nil || !within {
		return err
	}
	return queueNotice(ctx, tx, Notice{Kind: NoticePostHeld, List: l.ID, Address: p.Author, Params: PostHeldParams{
		Subject: p.Subject, MessageID: p.MessageID, Reason: p.HeldFor, Days: l.MaxHoldDays,
	}})
}

// tellJoinRequest mails those who moderate a list that somebody would like to join.
func (s *Service) tellJoinRequest(ctx context.Context, tx pgx.Tx, l List, m Member, id int64) error {
	if l.ModeratorNotices != NoticesAtOnce {
		return nil
	}
	within, err := s.count(ctx, tx, s.limits.joinsPerList, fmt.Sprint(l.ID))
	if err != nil || !within {
		return err
	}
	params := JoinRequestParams{Address: m.Address, Name: m.Name, URL: s.joinsURL(l)}
	return s.tellModerators(ctx, tx, l, func(r Role) (Notice, error) {
		var err error
		params.Reply, err = s.replyAddress(ctx, tx, l, newToken{
			Purpose: PurposeAdmit, Key: r.Key, Life: forever, Params: tokenParams{Address: r.Address, Request: id, Name: m.Address},
		})
		return Notice{Kind: NoticeJoinRequest, Params: params}, err
	})
}

func (s *Service) joinsURL(l List) string {
	return s.url("manage", "lists", l.Address().String(), "joins")
}

// ExpireHeld discards what has waited for as long as its list lets it: for moderators, or for an answer of
// its author. It says how many posts that were. Whoever keeps the clock calls it.
func (s *Service) ExpireHeld(ctx context.Context) (posts int, err error) {
	for {
		ids, err := selectOverdue(ctx, s.pool, confirmLife, expireStep)
		if err != nil {
			return posts, fmt.Errorf("held posts that are overdue: %w", err)
		}
		var failed []error // one post must not keep the others
		for _, id := range ids {
			if err := s.expire(ctx, id); err != nil {
				failed = append(failed, fmt.Errorf("post %s: %w", id, err))
			} else {
				posts++
			}
		}
		if len(ids) < expireStep || len(failed) > 0 {
			return posts, errors.Join(failed...)
		}
	}
}

// expireStep is how many overdue posts are looked for at a time.
const expireStep = 100

// expire discards one post, if it still is overdue: somebody may have decided, claimed it, or confirmed it
// meanwhile. An author who was told that it waits is told
// that nobody looked at it.
func (s *Service) expire(ctx context.Context, id uuid.UUID) error {
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		p, err := lockPost(ctx, tx, id)
		if err != nil {
			return err
		}
		if overdue, err := selectIsOverdue(ctx, tx, confirmLife, id); err != nil || !overdue {
			return err
		}
		r := ruling{state: PostDiscarded, action: string(verdict.Discard), reason: ReasonExpired}
		if p.State == PostUnconfirmed {
			r.reason = ReasonUnconfirmed
		}
		wasHeld, heldFor := p.State == PostHeld, p.HeldFor
		if p, err = s.rule(ctx, tx, ActorClock, p, r); err != nil || !wasHeld {
			return err
		}
		p.HeldFor = heldFor
		return s.tellExpired(ctx, tx, p)
	})
}

func (s *Service) tellExpired(ctx context.Context, tx pgx.Tx, p Post) error {
	l, err := listByID(ctx, tx, p.ListID)
	if noRows(err) { // a list that is gone tells nobody anything
		return nil
	}
	if err != nil {
		return err
	}
	if !l.TellHeld {
		return nil
	}
	may, err := s.mayAnswer(ctx, tx, l, p)
	if err != nil || !may {
		return err
	}
	return queueNotice(ctx, tx, Notice{Kind: NoticePostExpired, List: l.ID, Address: p.Author, Params: PostHeldParams{
		Subject: p.Subject, MessageID: p.MessageID, Reason: p.HeldFor, Days: l.MaxHoldDays,
	}})
}
