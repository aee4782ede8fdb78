package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"muster/lists"
)

func (a *app) siteCommand() *cobra.Command {
	return group("site", "What holds for the posts of all lists",
		&cobra.Command{
			Use:   "show",
			Short: "Show what is set for all lists",
			Args:  arguments(0, 0),
			RunE:  a.with(siteShow),
		},
		&cobra.Command{
			Use:   "set KEY=VALUE…",
			Short: "Change what holds for all lists, all or none",
			Long:  "Change what holds for all lists, all or none; nodes that run know of it within seconds:\n\n" + settingsHelp(lists.SiteSettings()),
			Args:  arguments(1, -1),
			RunE:  a.with(siteSet),
		},
	)
}

func siteShow(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
	get, err := s.lists.Site(ctx, lists.CLI())
	if err != nil {
		return err
	}
	if s.json {
		values := map[string]string{}
		for _, setting := range lists.SiteSettings() {
			values[setting.Key] = get(setting.Key)
		}
		return newEncoder(s.stdout).Encode(values)
	}
	p := s.printer()
	for _, setting := range lists.SiteSettings() {
		p.row(nil, setting.Key, strings.ReplaceAll(get(setting.Key), "\n", "\n\t"))
	}
	return p.flush()
}

func siteSet(ctx context.Context, cmd *cobra.Command, s *services, args []string) error {
	todo, err := changes(args)
	if err != nil {
		return err
	}
	if err := s.lists.SetSite(ctx, lists.CLI(), todo); err != nil {
		return asUsage(err)
	}
	return siteShow(ctx, cmd, s, nil)
}
