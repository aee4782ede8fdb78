package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
	"muster/lists/dkim"
)

// dkimView is a key as --json prints it: what may be published of it.
type dkimView struct {
	Domain    string     `json:"domain"`
	Selector  string     `json:"selector"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	Signs     bool       `json:"signs"`
	Name      string     `json:"name"`
	TXT       string     `json:"txt"`
	Zone      string     `json:"zone"`
	Created   time.Time  `json:"created"`
	Activated *time.Time `json:"activated"`
	Retired   *time.Time `json:"retired"`
}

func viewKey(k lists.DKIMKey) dkimView {
	name := dkim.RecordName(k.Selector, k.Domain)
	return dkimView{
		Domain: k.Domain, Selector: k.Selector, Algorithm: k.Algorithm, State: k.State, Signs: k.Signs,
		Name: name, TXT: k.Record, Zone: dkim.ZoneLine(name, k.Record),
		Created: k.Created, Activated: k.Activated, Retired: k.Retired,
	}
}

func (a *app) dkimCommand() *cobra.Command {
	return group("dkim", "Keys that sign what leaves in a domain's name",
		a.dkimCreateCommand(),
		&cobra.Command{
			Use:   "show DOMAIN",
			Short: "Show a domain's keys and their DNS records",
			Args:  arguments(1, 1),
			RunE:  a.with(dkimShow),
		},
		a.dkimRotateCommand(),
		&cobra.Command{
			Use:   "activate DOMAIN SELECTOR",
			Short: "Sign with a key from now on, whose record is in the DNS",
			Args:  arguments(2, 2),
			RunE:  a.with(dkimActivate),
		},
		a.dkimRetireCommand(),
	)
}

func (a *app) dkimCreateCommand() *cobra.Command {
	var selector, algorithm string
	cmd := &cobra.Command{
		Use:   "create DOMAIN",
		Short: "Make a domain's first keys; they sign once their records are in the DNS",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringVar(&selector, "selector", "", "name of the key in the DNS (default the day)")
	cmd.Flags().StringVar(&algorithm, "algorithm", "rsa", "rsa, ed25519 or both; not everybody verifies ed25519 yet")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		algorithms := []dkim.Algorithm{dkim.Algorithm(algorithm)}
		if algorithm == "both" {
			algorithms = []dkim.Algorithm{dkim.RSA, dkim.Ed25519}
		}
		made, err := s.lists.CreateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: args[0], Selector: selector, Algorithms: algorithms})
		if err != nil {
			return err
		}
		return s.printNewKeys(made)
	})
	return cmd
}

func (a *app) dkimRotateCommand() *cobra.Command {
	var selector string
	cmd := &cobra.Command{
		Use:   "rotate DOMAIN",
		Short: "Make the keys that follow those that sign; those go on until the new records are in the DNS",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringVar(&selector, "selector", "", "name of the key in the DNS (default the day)")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		made, err := s.lists.RotateDKIMKeys(ctx, lists.CLI(), lists.NewKeys{Domain: args[0], Selector: selector})
		if err != nil {
			return err
		}
		return s.printNewKeys(made)
	})
	return cmd
}

func (a *app) dkimRetireCommand() *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "retire DOMAIN SELECTOR",
		Short: "Throw a key away, a week after another has taken its place",
		Args:  arguments(2, 2),
	}
	cmd.Flags().BoolVar(&now, "now", false, "even if it signs, or copies signed with it are under way")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		retire := s.lists.RetireDKIMKey
		if now {
			retire = s.lists.RetireDKIMKeyNow
		}
		if err := retire(ctx, lists.CLI(), args[0], args[1]); err != nil {
			return err
		}
		s.say("retired the key %s; its record may leave the DNS", dkim.RecordName(args[1], args[0]))
		return nil
	})
	return cmd
}

func dkimActivate(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
	if err := s.lists.ActivateDKIMKey(ctx, lists.CLI(), args[0], args[1]); err != nil {
		return err
	}
	s.say("the key %s signs; a running muster takes it up within a minute", dkim.RecordName(args[1], args[0]))
	return nil
}

func dkimShow(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
	keys, err := s.lists.DKIMKeys(ctx, lists.CLI(), args[0])
	if err != nil {
		return err
	}
	if !s.json && len(keys) == 0 {
		s.say("%s has no keys, and what leaves in its name is not signed; muster domain dkim create makes the first", args[0])
	}
	p := s.printer()
	for _, k := range keys {
		v := viewKey(k)
		if s.json {
			if err := p.row(v); err != nil {
				return err
			}
			continue
		}
		s.say("%s: %s, %s, made %s", v.Selector, v.Algorithm, stateText(k), date(v.Created))
		if k.State != lists.KeyRetired {
			s.say("%s", v.Zone)
		}
	}
	return p.flush()
}

// stateText is a key's state in words.
func stateText(k lists.DKIMKey) string {
	switch {
	case k.Signs:
		return "signs"
	case k.State == lists.KeyActive:
		return "followed by another, retire it when that has signed for a week"
	case k.State == lists.KeyPublished:
		return "signs once its record is in the DNS"
	default:
		return k.State
	}
}

// printNewKeys prints what to put into the DNS.
func (s *services) printNewKeys(made []lists.DKIMKey) error {
	p := s.printer()
	for _, k := range made {
		v := viewKey(k)
		if s.json {
			if err := p.row(v); err != nil {
				return err
			}
			continue
		}
		s.say("made the %s key %s; put this into the DNS:\n%s", v.Algorithm, v.Selector, v.Zone)
	}
	s.say("It signs once muster serve has seen the record, or after muster domain dkim activate DOMAIN SELECTOR.")
	return p.flush()
}
