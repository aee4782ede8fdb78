package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"muster/lists"
)

func (a *app) memberExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export LIST [FILE|-]",
		Short: "Write the members as CSV, to a file or to standard output",
		Long: `Write the members as CSV with a heading, in a form that import reads, to a file or to standard
output. With --json they are written to standard output as member ls does.`,
		Args: arguments(1, 2),
		RunE: a.with(memberExport),
	}
}

func memberExport(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
	l, err := s.list(ctx, args[0])
	if err != nil {
		return err
	}
	if s.json {
		return s.printMembers(ctx, l, lists.MemberQuery{Limit: pageSize})
	}
	out := io.WriteCloser(keepOpen{s.stdout})
	if len(args) == 2 && args[1] != "-" {
		if out, err = os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return err
		}
	}
	return errors.Join(s.lists.Export(ctx, lists.CLI(), l.ID, out), out.Close())
}

// keepOpen is standard output, which others may still want to write to.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }
