package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
	"muster/smtp"
)

// memberView is a member as --json prints it.
type memberView struct {
	List           string    `json:"list"`
	Address        string    `json:"address"`
	Name           string    `json:"name"`
	Mode           string    `json:"mode"`
	State          string    `json:"state"`
	Hidden         bool      `json:"hidden"`
	OwnPosts       bool      `json:"own_posts"`
	AddressedPosts bool      `json:"addressed_posts"`
	Vacation       string    `json:"vacation,omitempty"`
	Joined         time.Time `json:"joined"`

	Moderation string `json:"moderation"` // of their posts
}

func viewMember(l lists.List, m lists.Member) memberView {
	return memberView{
		List: l.Address().String(), Address: m.Address, Name: m.Name, Mode: m.Mode, State: m.State,
		Hidden: m.Hidden, OwnPosts: m.OwnPosts, AddressedPosts: m.AddressedPosts, Vacation: m.Get("vacation"), Joined: m.Joined,
		Moderation: m.Get("moderation"),
	}
}

func (a *app) memberCommand() *cobra.Command {
	return group("member", "Members of lists",
		a.memberAddCommand(),
		a.memberRmCommand(),
		a.memberLsCommand(),
		a.memberSetCommand(),
		a.memberImportCommand(),
		a.memberExportCommand(),
	)
}

func (a *app) memberAddCommand() *cobra.Command {
	var n lists.NewMember
	cmd := &cobra.Command{
		Use:   "add LIST MAILBOX…",
		Short: `Add members, as "Fred Foo <fred@doc.example>" or fred@doc.example`,
		Long: `Add members, as "Fred Foo <fred@doc.example>" or fred@doc.example. Nobody is mailed unless
asked for. Who left or was removed before is only brought back with --again.`,
		Args: arguments(2, -1),
	}
	cmd.Flags().StringVar(&n.Mode, "mode", lists.ModeEach, "each: every post is sent; digest, summary, none: no single posts are")
	cmd.Flags().BoolVar(&n.Hidden, "hidden", false, "leave them out where members are listed")
	cmd.Flags().BoolVar(&n.Again, "again", false, "also those who left or were removed before")
	cmd.Flags().BoolVar(&n.Welcome, "welcome", false, "mail the new members a welcome")
	cmd.Flags().BoolVar(&n.Notify, "notify", false, "mail the owners who was added")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		boxes, err := parseMailboxes(args[1:])
		if err != nil {
			return err
		}
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		for _, box := range boxes {
			n.Mailbox = box
			m, err := s.lists.AddMember(ctx, lists.CLI(), l.ID, n)
			if err != nil {
				return asUsage(err)
			}
			s.say("added %s to %s", m.Mailbox(), l.Address())
			if s.json {
				if err := newEncoder(s.stdout).Encode(viewMember(l, m)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return cmd
}

func parseMailboxes(args []string) ([]smtp.Mailbox, error) {
	boxes := make([]smtp.Mailbox, 0, len(args))
	for _, arg := range args {
		box, err := smtp.ParseMailbox(arg)
		if err != nil {
			return nil, usageError{err}
		}
		boxes = append(boxes, box)
	}
	return boxes, nil
}

func (a *app) memberRmCommand() *cobra.Command {
	var notify bool
	cmd := &cobra.Command{
		Use:   "rm LIST ADDRESS…",
		Short: "Remove members",
		Args:  arguments(2, -1),
	}
	cmd.Flags().BoolVar(&notify, "notify", false, "mail them that they were removed")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		addresses, err := parseAddresses(args[1:])
		if err != nil {
			return err
		}
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		for _, address := range addresses {
			if err := s.lists.RemoveMember(ctx, lists.CLI(), l.ID, address, notify); err != nil {
				return err
			}
			s.say("removed %s from %s", address, l.Address())
		}
		return nil
	})
	return cmd
}

func (a *app) memberLsCommand() *cobra.Command {
	var search string
	cmd := &cobra.Command{
		Use:   "ls LIST",
		Short: "List the members",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringVar(&search, "search", "", "only addresses that begin so, or @domain")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		return s.printMembers(ctx, l, lists.MemberQuery{Search: search, Limit: pageSize})
	})
	return cmd
}

func (s *services) printMembers(ctx context.Context, l lists.List, query lists.MemberQuery) error {
	p := s.printer("ADDRESS", "NAME", "MODE", "STATE", "JOINED")
	for {
		page, err := s.lists.Members(ctx, lists.CLI(), l.ID, query)
		if err != nil {
			return err
		}
		for _, m := range page.Members {
			query.After = m.Key
			if err := p.row(viewMember(l, m), m.Address, m.Name, modeText(m), m.State, date(m.Joined)); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil || !page.More {
			return err
		}
	}
}

// modeText is a member's mode with what else is unusual about the membership.
func modeText(m lists.Member) string {
	text := m.Mode
	if m.Hidden {
		text += ", hidden"
	}
	if away := m.Get("vacation"); away != "" {
		text += ", away " + away
	}
	return text
}

// memberCount is how many members a page's query finds, as far as it counts.
func memberCount(p lists.MemberPage) string {
	if p.CountCapped {
		return fmt.Sprintf("more than %d", lists.MaxCount)
	}
	return strconv.Itoa(p.Count)
}

func (a *app) memberSetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set LIST ADDRESS KEY=VALUE…",
		Short: "Change what is set of a member, all or none",
		Long:  "Change what is set of a member, all or none:\n\n" + settingsHelp(lists.MemberSettings()),
		Args:  arguments(3, -1),
	}
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		address, err := parseAddress(args[1])
		if err != nil {
			return err
		}
		todo, err := changes(args[2:])
		if err != nil {
			return err
		}
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		m, err := s.lists.SetMember(ctx, lists.CLI(), l.ID, address, todo)
		if err != nil {
			return asUsage(err)
		}
		for _, c := range todo {
			s.say("%s on %s: %s = %s", m.Address, l.Address(), c.Key, m.Get(c.Key))
		}
		if s.json {
			return newEncoder(s.stdout).Encode(viewMember(l, m))
		}
		return nil
	})
	return cmd
}
