package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"muster/cmd/muster/config"
	"muster/fanout"
	"muster/lists"
	"muster/smtp"
	"muster/templates"
)

// work is what a command does with the services. Its changes are made as the command line.
type work func(ctx context.Context, cmd *cobra.Command, s *services, args []string) error

// services are what a command finds when it works on the database.
type services struct {
	*app
	db    *database
	lists *lists.Service
	cfg   *config.Config
	mail  atomic.Bool // something was done that may have mail go out
}

// with makes the RunE of a command that works on the database.
func (a *app) with(do work) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		ctx := cmd.Context()
		c, err := a.settings(cmd)
		if err != nil {
			return err
		}
		db, err := joinDatabase(ctx, c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close(ctx)) }()
		s := newServices(a, c, db)
		return errors.Join(do(ctx, cmd, s, args), s.tell(ctx))
	}
}

func newServices(a *app, c *config.Config, db *database) *services {
	s := &services{app: a, db: db, cfg: c}
	s.lists = lists.New(db.Pool, lists.Config{
		CheckTemplate: templates.CheckMail,
		Hostname:      c.Hostname, DefaultDomain: c.DefaultDomain, Wake: func() { s.mail.Store(true) },
	})
	return s
}

// tell wakes the nodes that send mail, if there may be some.
func (s *services) tell(ctx context.Context) error {
	if !s.mail.Load() {
		return nil
	}
	return fanout.Notify(ctx, s.db.Pool)
}

// list is the list that an argument names.
func (s *services) list(ctx context.Context, arg string) (lists.List, error) {
	address, err := parseAddress(arg)
	if err != nil {
		return lists.List{}, err
	}
	return s.lists.ListByAddress(ctx, lists.CLI(), address)
}

func parseAddress(arg string) (smtp.Address, error) {
	address, err := smtp.ParseAddress(arg)
	if err != nil {
		return smtp.Address{}, usagef("%q: %w", arg, err)
	}
	return address, nil
}

func parseAddresses(args []string) ([]smtp.Address, error) {
	addresses := make([]smtp.Address, 0, len(args))
	for _, arg := range args {
		address, err := parseAddress(arg)
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// changes reads KEY=VALUE arguments.
func changes(args []string) ([]lists.Change, error) {
	found := make([]lists.Change, 0, len(args))
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usagef("%q is not of the form KEY=VALUE", arg)
		}
		found = append(found, lists.Change{Key: key, Value: value})
	}
	return found, nil
}

// say prints a sentence for people; with --json it is left out.
func (a *app) say(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.stdout, format+"\n", args...)
	}
}

// printer prints rows as they come: JSON objects a line each, or a table with a heading.
type printer struct {
	json  *json.Encoder
	lines *bufio.Writer // below json
	table *tabwriter.Writer
}

func (a *app) printer(heading ...string) *printer {
	if a.json {
		lines := bufio.NewWriter(a.stdout)
		return &printer{json: newEncoder(lines), lines: lines}
	}
	p := &printer{table: tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)}
	if len(heading) > 0 {
		fmt.Fprintln(p.table, strings.Join(heading, "\t"))
	}
	return p
}

func newEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// row prints object, or its columns.
func (p *printer) row(object any, columns ...string) error {
	if p.json != nil {
		return p.json.Encode(object)
	}
	_, err := fmt.Fprintln(p.table, strings.Join(columns, "\t"))
	return err
}

// flush ends a page of rows; a table's columns are as wide as the page needs.
func (p *printer) flush() error {
	if p.json != nil {
		return p.lines.Flush()
	}
	return p.table.Flush()
}
