package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"muster/lists"
)

func (a *app) postHoldCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "hold ID…",
		Short: "Have accepted posts wait for a moderator, before their first copy",
		Long: `Have accepted posts wait for a moderator, as if the list's rules had held them. That can be done as long as
nothing of a post is planned: while mail to its list waits, mostly because of muster queue hold. Copies that
are under way are stopped with muster queue hold --post ID.`,
		Args: arguments(1, -1),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the moderators")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		return s.eachPost(args, "held", func(id uuid.UUID) (lists.Post, error) {
			return s.lists.HoldPost(ctx, lists.CLI(), id, reason)
		})
	})
	return cmd
}

func (a *app) postReleaseCommand() *cobra.Command {
	var trust bool
	cmd := &cobra.Command{
		Use:   "release ID…",
		Short: "Let held posts go to the members",
		Args:  arguments(1, -1),
	}
	cmd.Flags().BoolVar(&trust, "trust", false, "later posts of their authors are not held either")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		release := s.lists.ReleasePost
		if trust {
			release = s.lists.TrustPost
		}
		return s.eachPost(args, "released", func(id uuid.UUID) (lists.Post, error) {
			return release(ctx, lists.CLI(), id)
		})
	})
	return cmd
}

func (a *app) postRejectCommand() *cobra.Command {
	var reason, answer string
	cmd := &cobra.Command{
		Use:   "reject ID…",
		Short: "Refuse held posts",
		Args:  arguments(1, -1),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the author is told if they are a member or have proved who they are")
	cmd.Flags().StringVar(&answer, "answer", "", "the same, as an answer of the list says it (muster list answers)")
	cmd.MarkFlagsMutuallyExclusive("reason", "answer")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		return s.eachPost(args, "rejected", func(id uuid.UUID) (lists.Post, error) {
			words := reason
			if answer != "" {
				post, _, err := s.lists.PostByID(ctx, lists.CLI(), id)
				if err != nil {
					return lists.Post{}, err
				}
				if words, err = s.lists.CannedText(ctx, lists.CLI(), post.ListID, answer); err != nil {
					return lists.Post{}, err
				}
			}
			return s.lists.RejectPost(ctx, lists.CLI(), id, words)
		})
	})
	return cmd
}

func (a *app) postDiscardCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "discard ID…",
		Short: "Put held posts aside and tell nobody",
		Args:  arguments(1, -1),
		RunE: a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
			return s.eachPost(args, "discarded", func(id uuid.UUID) (lists.Post, error) {
				return s.lists.DiscardPost(ctx, lists.CLI(), id)
			})
		}),
	}
}

func (a *app) postClaimCommand() *cobra.Command {
	var end bool
	cmd := &cobra.Command{
		Use:   "claim ID…",
		Short: "Keep other moderators from deciding on held posts for an hour",
		Args:  arguments(1, -1),
	}
	cmd.Flags().BoolVar(&end, "end", false, "give the claim up, whoever has it")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		claim, done := s.lists.ClaimPost, "claimed"
		if end {
			claim, done = s.lists.UnclaimPost, "free again:"
		}
		return s.eachPost(args, done, func(id uuid.UUID) (lists.Post, error) {
			return claim(ctx, lists.CLI(), id)
		})
	})
	return cmd
}

// partView is a part that can be left out, as --json prints it.
type partView struct {
	Number  int    `json:"number"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Octets  int64  `json:"octets"`
	Dropped bool   `json:"dropped"`
}

func (a *app) postEditCommand() *cobra.Command {
	var subject string
	var drop []int
	cmd := &cobra.Command{
		Use:   "edit ID",
		Short: "Change the subject of a held post, or leave out attachments",
		Long: `Change what the copies of a held post will be. The message itself stays as it came in, and so does what
its history shows. Without a flag it lists the parts that can be left out, by number.`,
		Args: arguments(1, 1),
	}
	cmd.Flags().StringVar(&subject, "subject", "", "the subject that the copies have")
	cmd.Flags().IntSliceVar(&drop, "drop", nil, "numbers of parts to leave out")
	cmd.RunE = a.with(func(ctx context.Context, cmd *cobra.Command, s *services, args []string) error {
		id, err := parsePostID(args[0])
		if err != nil {
			return err
		}
		change := lists.PostEdit{Drop: drop}
		if cmd.Flags().Changed("subject") {
			change.Subject = &subject
		}
		if change.Subject == nil && len(drop) == 0 {
			return s.printParts(ctx, id)
		}
		return s.eachPost(args, "changed", func(id uuid.UUID) (lists.Post, error) {
			return s.lists.EditPost(ctx, lists.CLI(), id, change)
		})
	})
	return cmd
}

func (s *services) printParts(ctx context.Context, id uuid.UUID) error {
	post, _, err := s.lists.PostByID(ctx, lists.CLI(), id)
	if err != nil {
		return err
	}
	parts, err := s.lists.PostParts(ctx, lists.CLI(), post)
	if err != nil {
		return err
	}
	p := s.printer("NUMBER", "TYPE", "OCTETS", "NAME", "DROPPED")
	for i, part := range parts {
		v := partView{Number: i + 1, Name: part.Name, Type: part.Type, Octets: part.To - part.From, Dropped: post.Edits.Dropped(part)}
		err := p.row(v, strconv.Itoa(v.Number), v.Type, strconv.FormatInt(v.Octets, 10), v.Name, map[bool]string{true: "yes", false: "no"}[v.Dropped])
		if err != nil {
			return err
		}
	}
	return p.flush()
}

func (a *app) postForwardCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "forward ID ADDRESS",
		Short: "Send a held post as it came, as an attachment, to somebody",
		Args:  arguments(2, 2),
		RunE: a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
			to, err := parseAddress(args[1])
			if err != nil {
				return err
			}
			return s.eachPost(args[:1], fmt.Sprintf("on its way to %s:", to), func(id uuid.UUID) (lists.Post, error) {
				return s.lists.ForwardPost(ctx, lists.CLI(), id, to)
			})
		}),
	}
}
