package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
)

// personView is a person as --json prints it.
type personView struct {
	Address  string    `json:"address"`
	Name     string    `json:"name"`
	Admin    bool      `json:"admin"`
	Password bool      `json:"password"`
	Created  time.Time `json:"created"`
}

func viewPerson(p lists.Person) personView {
	return personView{p.Address, p.Name, p.Admin, p.Password, p.Created}
}

func (a *app) personCommand() *cobra.Command {
	return group("person", "People who can sign in",
		a.personCreateCommand(),
		&cobra.Command{
			Use:   "ls",
			Short: "List the people",
			Args:  arguments(0, 0),
			RunE:  a.with(personLs),
		},
	)
}

func (a *app) personCreateCommand() *cobra.Command {
	var n lists.NewPerson
	var readPassword bool
	cmd := &cobra.Command{
		Use:   "create ADDRESS",
		Short: "Make a person who can sign in to the site and by SMTP AUTH",
		Long: `Make a person who can sign in to the site, with a password or by a link that is mailed to the
address, and with a password by SMTP AUTH. The address counts as theirs.`,
		Args: arguments(1, 1),
	}
	cmd.Flags().StringVar(&n.Name, "name", "", "their name")
	cmd.Flags().BoolVar(&n.Admin, "admin", false, "they may do everything on this site")
	cmd.Flags().BoolVar(&readPassword, "password-stdin", false, "read a password from the first line of standard input")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) (err error) {
		if n.Address, err = parseAddress(args[0]); err != nil {
			return err
		}
		if readPassword {
			if n.Password, err = firstLine(s.stdin); err != nil {
				return err
			}
		}
		p, err := s.lists.CreatePerson(ctx, lists.CLI(), n)
		if err != nil {
			return err
		}
		s.say("made person %s", p.Address)
		if s.json {
			return newEncoder(s.stdout).Encode(viewPerson(p))
		}
		return nil
	})
	return cmd
}

// firstLine reads a password: a line without its end, not empty.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usagef("--password-stdin: standard input has no password in its first line")
	}
	return line, nil
}

func personLs(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
	p := s.printer("ADDRESS", "NAME", "ADMIN", "PASSWORD", "SINCE")
	for after := int64(0); ; {
		persons, err := s.lists.Persons(ctx, lists.CLI(), after, pageSize)
		if err != nil {
			return err
		}
		for _, person := range persons {
			after = person.ID
			err := p.row(viewPerson(person), person.Address, person.Name, yes(person.Admin), yes(person.Password), date(person.Created))
			if err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil || len(persons) < pageSize {
			return err
		}
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
