package main

import (
	"context"

	"github.com/spf13/cobra"

	"muster/cmd/muster/config"
)

func (a *app) serveCommand() *cobra.Command {
	var printConfig bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take mail in, send it out, and serve the site",
		Long: `Take mail in, send it out, and serve the site, until SIGINT or SIGTERM: then take no more, finish
what is in flight, and stop. A second signal stops at once; nothing is lost then either. SIGHUP reads
the TLS certificate again.`,
		Args: arguments(0, 0),
	}
	cmd.Flags().BoolVar(&printConfig, "print-config", false, "print the settings and where each came from, without secrets, and end")
	config.AddFlags(cmd.Flags(), config.Serving)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		switch {
		case printConfig && a.json:
			return c.PrintJSON(a.stdout)
		case printConfig:
			return c.Print(a.stdout)
		}
		return a.serve(cmd.Context(), c)
	}
	return cmd
}

func (a *app) serve(ctx context.Context, c *config.Config) error {
	n, err := newNode(ctx, c, newLogger(c, a.stderr))
	if err != nil {
		return err
	}
	return n.run(ctx, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}
