package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"muster/fanout"
)

// queuedView is one entry of the queue as --json prints it.
type queuedView struct {
	State       string     `json:"state"`
	Copies      int64      `json:"copies"`
	Destination string     `json:"destination"`
	List        string     `json:"list,omitempty"`
	Post        string     `json:"post,omitempty"`
	Accepted    time.Time  `json:"accepted"`
	Address     string     `json:"address,omitempty"`
	Attempts    int32      `json:"attempts,omitempty"`
	Due         *time.Time `json:"due,omitempty"`
	Host        string     `json:"host,omitempty"`
	Reply       string     `json:"reply,omitempty"`
}

// showLimit is how many entries are shown where nobody says.
const showLimit = 1000

func (a *app) queueShowCommand() *cobra.Command {
	var part queuePart
	var limit int
	cmd := &cobra.Command{
		Use:   "show [--list LIST] [--destination NAME] [--post ID] [--limit N]",
		Short: "Show the entries of the queue: shards, and deferred copies",
		Long: `Show the entries of the queue, one a line, the oldest post first: shards, which are up to a few
hundred copies of a post for one destination, and copies that a server refused for now.`,
		Args: arguments(0, 0),
	}
	part.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", showLimit, "so many entries at most; 0 for all")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
		if limit < 0 {
			return usagef("--limit %d is below zero", limit)
		}
		selection, err := part.selection(ctx, s)
		if err != nil {
			return err
		}
		return s.showQueued(ctx, selection, limit)
	})
	return cmd
}

func (s *services) showQueued(ctx context.Context, selection fanout.Selection, limit int) error {
	p := s.printer("STATE", "COPIES", "TO", "POST", "ACCEPTED", "ANSWER")
	shown, more := 0, false
	err := s.engine().EachQueued(ctx, selection, func(q fanout.Queued) (bool, error) {
		if limit > 0 && shown == limit {
			more = true
			return false, nil
		}
		shown++
		if shown%pageSize == 0 {
			if err := p.flush(); err != nil {
				return false, err
			}
		}
		v := viewQueued(q)
		to := v.Destination
		if v.Address != "" {
			to = v.Address
		}
		return true, p.row(v, v.State, strconv.FormatInt(v.Copies, 10), to, of(v), v.Accepted.Local().Format(time.DateTime), v.Reply)
	})
	if err != nil {
		return unknownDestination(err)
	}
	if err := p.flush(); err != nil {
		return err
	}
	if more {
		s.say("there is more: --limit 0 shows all")
	}
	return nil
}

// of says what an entry is copies of.
func of(v queuedView) string {
	if v.Post == "" {
		return "a notice"
	}
	return v.Post
}

func viewQueued(q fanout.Queued) queuedView {
	v := queuedView{
		State: q.State, Copies: q.Copies, Destination: q.Destination, List: q.List, Accepted: q.Accepted,
		Address: q.Address, Attempts: q.Attempts, Due: moment(q.Due), Host: q.Host, Reply: q.Reply,
	}
	if q.Post != (fanout.Queued{}).Post {
		v.Post = q.Post.String()
	}
	return v
}
