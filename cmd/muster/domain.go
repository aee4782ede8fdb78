package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
)

// domainView is a domain as --json prints it.
type domainView struct {
	Domain  string    `json:"domain"`
	Created time.Time `json:"created"`
}

func (a *app) domainCommand() *cobra.Command {
	return group("domain", "Domains served here",
		&cobra.Command{
			Use:   "ls",
			Short: "List the domains",
			Args:  arguments(0, 0),
			RunE:  a.with(domainLs),
		},
		&cobra.Command{
			Use:   "create DOMAIN…",
			Short: "Make domains",
			Args:  arguments(1, -1),
			RunE:  a.with(domainCreate),
		},
		a.dkimCommand(),
	)
}

func domainLs(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
	domains, err := s.lists.Domains(ctx, lists.CLI())
	if err != nil {
		return err
	}
	p := s.printer("DOMAIN", "SINCE")
	for _, d := range domains {
		if err := p.row(domainView{d.Name, d.Created}, d.Name, date(d.Created)); err != nil {
			return err
		}
	}
	return p.flush()
}

func domainCreate(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
	for _, name := range args {
		d, err := s.lists.CreateDomain(ctx, lists.CLI(), name)
		if err != nil {
			return err
		}
		if s.json {
			if err := newEncoder(s.stdout).Encode(domainView{d.Name, d.Created}); err != nil {
				return err
			}
		}
		s.say("made domain %s", d.Name)
	}
	return nil
}

// date is a moment for people who look at a table.
func date(t time.Time) string { return t.Local().Format(time.DateOnly) }
