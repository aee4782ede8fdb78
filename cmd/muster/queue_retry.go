package main

import (
	"context"

	"github.com/spf13/cobra"

	"muster/fanout"
)

// retryView is what --json prints of a retry.
type retryView struct {
	Copies       int64 `json:"copies"`
	Destinations int64 `json:"destinations"`
}

func (a *app) queueRetryCommand() *cobra.Command {
	var list, destination, post string
	var all bool
	cmd := &cobra.Command{
		Use:   "retry [--list LIST] [--destination NAME] [--post ID] [--all]",
		Short: "Try deferred copies and blocked destinations again now",
		Args:  arguments(0, 0),
	}
	cmd.Flags().StringVar(&list, "list", "", "what goes to the members of this list")
	cmd.Flags().StringVar(&destination, "destination", "", "what goes to this destination, as muster queue status names it")
	cmd.Flags().StringVar(&post, "post", "", "the copies of this post")
	cmd.Flags().BoolVar(&all, "all", false, "everything")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
		if all == (list+destination+post != "") {
			return usagef("say what to try again: --all, or some of --list, --destination and --post")
		}
		selection := fanout.Selection{Destination: destination}
		if list != "" {
			l, err := s.list(ctx, list)
			if err != nil {
				return err
			}
			selection.List = l.ID
		}
		if post != "" {
			id, err := parsePostID(post)
			if err != nil {
				return err
			}
			selection.Post = id
		}
		copies, destinations, err := s.engine().Retry(ctx, selection)
		if err != nil {
			return err
		}
		if s.json {
			return newEncoder(s.stdout).Encode(retryView{copies, destinations})
		}
		s.say("%s due now, %s to be connected to again", plural(int(copies), "copy", "copies"),
			plural(int(destinations), "destination", "destinations"))
		return nil
	})
	return cmd
}
