package main

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"muster/fanout"
)

// queuePart is the part of the queue that a command is about, as its flags say it.
type queuePart struct {
	list, destination, post string
	all                     bool
}

// partUsage shows the flags of a command that must be told what it is about.
const partUsage = " [--list LIST] [--destination NAME] [--post ID] [--all]"

func (q *queuePart) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.list, "list", "", "what goes out for this list")
	cmd.Flags().StringVar(&q.destination, "destination", "", "what goes to this destination, as muster queue status names it")
	cmd.Flags().StringVar(&q.post, "post", "", "the copies of this post")
}

// named is selection for a command that wants to be told: everything is said with --all.
func (q *queuePart) named(ctx context.Context, s *services, what string) (fanout.Selection, error) {
	if q.all == (q.list+q.destination+q.post != "") {
		return fanout.Selection{}, usagef("say what to %s: --all, or some of --list, --destination and --post", what)
	}
	return q.selection(ctx, s)
}

func (q *queuePart) selection(ctx context.Context, s *services) (fanout.Selection, error) {
	selection := fanout.Selection{Destination: q.destination}
	if q.list != "" {
		l, err := s.list(ctx, q.list)
		if err != nil {
			return selection, err
		}
		selection.List = l.ID
	}
	if q.post != "" {
		id, err := parsePostID(q.post)
		if err != nil {
			return selection, err
		}
		selection.Post = id
	}
	return selection, nil
}

// partCommand makes a command about a part of the queue that it must be told.
func (a *app) partCommand(cmd *cobra.Command, what string, do func(context.Context, *services, fanout.Selection) error) *cobra.Command {
	var part queuePart
	part.flags(cmd)
	cmd.Flags().BoolVar(&part.all, "all", false, "everything")
	cmd.Args = arguments(0, 0)
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
		selection, err := part.named(ctx, s, what)
		if err != nil {
			return err
		}
		return do(ctx, s, selection)
	})
	return cmd
}

// partText says what a hold is of, in words.
func partText(h fanout.Hold) string {
	var words []string
	if h.What.Post != uuid.Nil {
		words = append(words, "post "+h.What.Post.String())
	}
	if h.Address != "" {
		words = append(words, "list "+h.Address)
	}
	if h.What.Destination != "" {
		words = append(words, "to "+h.What.Destination)
	}
	if len(words) == 0 {
		return "all outgoing mail"
	}
	return strings.Join(words, ", ")
}
