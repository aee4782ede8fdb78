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
	return a.partCommand(&cobra.Command{
		Use:   "retry" + partUsage,
		Short: "Try deferred copies and blocked destinations again now",
	}, "try again", queueRetry)
}

func queueRetry(ctx context.Context, s *services, selection fanout.Selection) error {
	copies, destinations, err := s.engine().Retry(ctx, selection)
	if err != nil {
		return unknownDestination(err)
	}
	if s.json {
		return newEncoder(s.stdout).Encode(retryView{copies, destinations})
	}
	s.say("%s due now, %s to be connected to again", plural(int(copies), "copy", "copies"),
		plural(int(destinations), "destination", "destinations"))
	return nil
}
