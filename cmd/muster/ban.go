package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
)

// banView is a ban as --json prints it.
type banView struct {
	List    string    `json:"list,omitempty"` // none: of the site
	Pattern string    `json:"pattern"`
	Action  string    `json:"action"`
	Note    string    `json:"note,omitempty"`
	Actor   string    `json:"actor"`
	At      time.Time `json:"at"`
}

// banScope is whose bans a command is about.
type banScope struct{ list string }

func (b *banScope) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.list, "list", "", "the bans of this list (default the site's, which hold for all lists)")
}

// find is the list that is meant; zero for the site.
func (b *banScope) find(ctx context.Context, s *services) (lists.List, error) {
	if b.list == "" {
		return lists.List{}, nil
	}
	return s.list(ctx, b.list)
}

// scopeName is whose bans these are, for people.
func scopeName(l lists.List) string {
	if l.ID == 0 {
		return "the site"
	}
	return l.Address().String()
}

func (a *app) banCommand() *cobra.Command {
	return group("ban", "Who may neither post nor join: addresses, domains, patterns",
		a.banAddCommand(), a.banRmCommand(), a.banLsCommand())
}

func (a *app) banAddCommand() *cobra.Command {
	var scope banScope
	var action, note string
	cmd := &cobra.Command{
		Use:   "add PATTERN…",
		Short: "Ban senders: an address, @domain, @*.domain for all below it, or '^regular expression'",
		Args:  arguments(1, -1),
	}
	scope.flag(cmd)
	cmd.Flags().StringVar(&action, "action", lists.BanActions()[0], "what becomes of their posts: "+strings.Join(lists.BanActions(), ", "))
	cmd.Flags().StringVar(&note, "note", "", "why, for those who look at it later")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		l, err := scope.find(ctx, s)
		if err != nil {
			return err
		}
		for _, pattern := range args {
			b, err := s.lists.AddBan(ctx, lists.CLI(), lists.Ban{ListID: l.ID, Pattern: pattern, Action: action, Note: note})
			if err != nil {
				return asUsage(err)
			}
			s.say("%s bans %s: %s", scopeName(l), b.Pattern, b.Action)
			if err := s.printBan(l, b); err != nil {
				return err
			}
		}
		return nil
	})
	return cmd
}

func (s *services) printBan(l lists.List, b lists.Ban) error {
	if !s.json {
		return nil
	}
	return newEncoder(s.stdout).Encode(viewBan(l, b))
}

func viewBan(l lists.List, b lists.Ban) banView {
	v := banView{Pattern: b.Pattern, Action: b.Action, Note: b.Note, Actor: b.Actor, At: b.At}
	if l.ID != 0 {
		v.List = l.Address().String()
	}
	return v
}

func (a *app) banRmCommand() *cobra.Command {
	var scope banScope
	cmd := &cobra.Command{
		Use:   "rm PATTERN…",
		Short: "Lift bans",
		Args:  arguments(1, -1),
	}
	scope.flag(cmd)
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		l, err := scope.find(ctx, s)
		if err != nil {
			return err
		}
		for _, pattern := range args {
			if err := s.lists.RemoveBan(ctx, lists.CLI(), l.ID, pattern); err != nil {
				return err
			}
			s.say("%s does not ban %s any more", scopeName(l), pattern)
		}
		return nil
	})
	return cmd
}

func (a *app) banLsCommand() *cobra.Command {
	var scope banScope
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List bans",
		Args:  arguments(0, 0),
	}
	scope.flag(cmd)
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
		l, err := scope.find(ctx, s)
		if err != nil {
			return err
		}
		p := s.printer("PATTERN", "POSTS", "SINCE", "BY", "NOTE")
		for after := ""; ; {
			page, err := s.lists.Bans(ctx, lists.CLI(), l.ID, after)
			if err != nil {
				return fmt.Errorf("%s: %w", scopeName(l), err)
			}
			for _, b := range page.Bans {
				after = b.Pattern
				if err := p.row(viewBan(l, b), b.Pattern, b.Action, date(b.At), b.Actor, b.Note); err != nil {
					return err
				}
			}
			if err := p.flush(); err != nil || !page.More {
				return err
			}
		}
	})
	return cmd
}
