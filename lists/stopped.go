package lists

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// NoticeStopped is the kind of a notice about a post that was stopped.
const NoticeStopped = "stopped" // StoppedParams, to owners, who decide

// Stopped is a post that was paused because too many of its copies were refused for good.
type Stopped struct {
	List     int64
	Post     uuid.UUID
	Answered int64 // copies that were delivered or refused
	Refused  int64 // of these
	Host     string
	Reply    string // the last
}

// StoppedParams tells an owner about a post that was stopped.
type StoppedParams struct {
	Subject  string // may be empty
	Answered int64
	Refused  int64
	Host     string
	Answer   string // the last refusal
	URL      string // page where it is resumed or cancelled
}

// TellStopped mails the owners of a list that a post was stopped; beyond a limit the pages tell.
func (s *Service) TellStopped(ctx context.Context, stopped Stopped) error {
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		l, err := listByID(ctx, tx, stopped.List)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %d: %w", stopped.List, err)
		}
		within, err := s.count(ctx, tx, s.limits.stoppedPerList, fmt.Sprint(l.ID))
		if err != nil || !within {
			return err
		}
		p, err := selectPostByID(ctx, tx, stopped.Post)
		if err != nil {
			return fmt.Errorf("post %s: %w", stopped.Post, err)
		}
		return s.tellOwners(ctx, tx, NoticeStopped, l, StoppedParams{
			Subject: p.Subject, Answered: stopped.Answered, Refused: stopped.Refused, Host: stopped.Host, Answer: stopped.Reply,
			URL: s.url("manage", "lists", l.Address().String(), "posts", p.Ref),
		})
	})
}
