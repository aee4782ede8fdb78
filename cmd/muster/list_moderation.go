package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
	"muster/smtp"
)

// answerView is an answer of a list as --json prints it.
type answerView struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func (a *app) listAnswersCommand() *cobra.Command {
	var set, remove string
	cmd := &cobra.Command{
		Use:   "answers LIST",
		Short: "Show or change the list's texts for posts that are rejected",
		Long: `Show or change the list's texts for posts that are rejected: muster post reject --answer NAME sends one, and
so do the page of a held post and the word reject with the name in a moderator's mail. With --set the text is
read from the standard input.`,
		Args: arguments(1, 1),
	}
	cmd.Flags().StringVar(&set, "set", "", "name of an answer to write, or write anew")
	cmd.Flags().StringVar(&remove, "remove", "", "name of an answer to remove")
	cmd.MarkFlagsMutuallyExclusive("set", "remove")
	cmd.RunE = a.with(func(ctx context.Context, cmd *cobra.Command, s *services, args []string) error {
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		switch {
		case cmd.Flags().Changed("set"):
			text, err := io.ReadAll(io.LimitReader(s.stdin, 1<<16))
			if err != nil {
				return fmt.Errorf("standard input: %w", err)
			}
			if err := s.lists.SetCanned(ctx, lists.CLI(), l.ID, lists.Canned{Name: set, Text: string(text)}); err != nil {
				return err
			}
			s.say("%s has the answer %s", l.Address(), set)
		case cmd.Flags().Changed("remove"):
			if err := s.lists.RemoveCanned(ctx, lists.CLI(), l.ID, remove); err != nil {
				return err
			}
			s.say("removed %s", remove)
		default:
			return s.printAnswers(ctx, l)
		}
		return nil
	})
	return cmd
}

func (s *services) printAnswers(ctx context.Context, l lists.List) error {
	all, err := s.lists.CannedAnswers(ctx, lists.CLI(), l.ID)
	if err != nil {
		return err
	}
	p := s.printer("NAME", "TEXT")
	for _, c := range all {
		first, rest, _ := strings.Cut(c.Text, "\n")
		if rest != "" {
			first += " …"
		}
		if err := p.row(answerView(c), c.Name, first); err != nil {
			return err
		}
	}
	return p.flush()
}

// trustedView is a trusted author as --json prints them.
type trustedView struct {
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
	By      string    `json:"by"`
}

func (a *app) listTrustedCommand() *cobra.Command {
	var add, remove []string
	cmd := &cobra.Command{
		Use:   "trusted LIST",
		Short: "Show or change whose posts the list does not hold",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringSliceVar(&add, "add", nil, "address to trust; may be given more than once")
	cmd.Flags().StringSliceVar(&remove, "remove", nil, "address not to trust any more; may be given more than once")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		if len(add)+len(remove) == 0 {
			return s.printTrusted(ctx, l)
		}
		if err := eachAddress(add, func(a smtp.Address) error { return s.lists.Trust(ctx, lists.CLI(), l.ID, a) }); err != nil {
			return err
		}
		if err := eachAddress(remove, func(a smtp.Address) error { return s.lists.Distrust(ctx, lists.CLI(), l.ID, a) }); err != nil {
			return err
		}
		s.say("saved")
		return nil
	})
	return cmd
}

// eachAddress does something with each address, after all of them were read.
func eachAddress(args []string, do func(smtp.Address) error) error {
	all, err := parseAddresses(args)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := do(a); err != nil {
			return err
		}
	}
	return nil
}

func (s *services) printTrusted(ctx context.Context, l lists.List) error {
	p := s.printer("ADDRESS", "SINCE", "BY")
	for after := ""; ; {
		found, err := s.lists.Trusted(ctx, lists.CLI(), l.ID, after, pageSize)
		if err != nil {
			return err
		}
		for _, t := range found {
			after = t.Key
			if err := p.row(trustedView{t.Address, t.Since, t.By}, t.Address, t.Since.Local().Format(time.DateTime), t.By); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil || len(found) < pageSize {
			return err
		}
	}
}
