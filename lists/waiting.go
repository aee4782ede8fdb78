package lists

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bounds of what a daily mail names and counts.
const (
	maxWaitingNamed   = 20
	maxWaitingCounted = 1000
)

// TellWaiting mails those who moderate the lists that want it daily what waits for them, and says about how
// many lists it did. Whoever keeps the clock calls it; a list is told of once in half a day, however often.
func (s *Service) TellWaiting(ctx context.Context) (told int, err error) {
	var failed []error // one list must not keep the others
	for after := int64(0); ; {
		ids, err := selectDailyLists(ctx, s.pool, after, dailyStep)
		if err != nil {
			return told, fmt.Errorf("lists where something waits: %w", err)
		}
		for _, id := range ids {
			after = id
			mailed, err := s.tellWaiting(ctx, id)
			if err != nil {
				failed = append(failed, fmt.Errorf("what waits on list %d: %w", id, err))
			}
			if mailed && err == nil {
				told++
			}
		}
		if len(ids) < dailyStep || ctx.Err() != nil {
			return told, errors.Join(failed...)
		}
	}
}

// waitingLife is how long what stands in a daily mail can be answered: the next one has it anew.
const waitingLife = 7 * 24 * time.Hour

// dailyStep is how many lists are looked for at a time.
const dailyStep = 100

func (s *Service) tellWaiting(ctx context.Context, listID int64) (mailed bool, err error) {
	err = s.inTxWake(ctx, func(tx pgx.Tx) error {
		mailed = false
		l, err := listByID(ctx, tx, listID)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		params, posts, err := s.waiting(ctx, tx, l)
		if err != nil || len(params.Held) == 0 && params.Requests == 0 {
			return err
		}
		within, err := s.count(ctx, tx, s.limits.waitingPerList, fmt.Sprint(l.ID))
		if err != nil || !within {
			return err
		}
		mailed = true
		return s.tellModerators(ctx, tx, l, func(r Role) (Notice, error) {
			own := params
			own.Held = make([]WaitingPost, len(posts))
			copy(own.Held, params.Held)
			for i, p := range posts {
				var err error
				if own.Held[i].Reply, err = s.askModerator(ctx, tx, l, r, p, waitingLife); err != nil {
					return Notice{}, err
				}
			}
			return Notice{Kind: NoticeWaiting, Params: own}, nil
		})
	})
	return mailed, err
}

// waiting is what waits on a list, with the posts that it names.
func (s *Service) waiting(ctx context.Context, tx pgx.Tx, l List) (WaitingParams, []Post, error) {
	posts, err := selectOldestHeld(ctx, tx, l.ID, maxWaitingNamed)
	if err != nil {
		return WaitingParams{}, nil, fmt.Errorf("held posts: %w", err)
	}
	held, asked, err := countWaiting(ctx, tx, l.ID, maxWaitingCounted)
	if err != nil {
		return WaitingParams{}, nil, fmt.Errorf("how much waits: %w", err)
	}
	w := WaitingParams{
		Others: held - len(posts), More: held == maxWaitingCounted, Requests: asked,
		URL: s.url("manage", "lists", l.Address().String(), "held"), JoinsURL: s.joinsURL(l),
	}
	for _, p := range posts {
		w.Held = append(w.Held, WaitingPost{Author: p.Author, Subject: p.Subject, Since: p.Since, Reason: p.HeldFor, URL: s.postURL(l, p)})
	}
	return w, posts, nil
}
