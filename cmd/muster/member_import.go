package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"muster/lists"
)

// importView is what --json prints of an import.
type importView struct {
	List     string        `json:"list"`
	DryRun   bool          `json:"dry_run"`
	Added    int           `json:"added"`
	Already  int           `json:"already"`
	Refused  int           `json:"refused"`
	Refusals []refusalView `json:"refusals"`
}

type refusalView struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

func (a *app) memberImportCommand() *cobra.Command {
	var o lists.ImportOptions
	cmd := &cobra.Command{
		Use:   "import LIST FILE|-",
		Short: "Add the members of a file, or of standard input",
		Long: `Add the members of a file, or of standard input with -. The file is CSV with a heading
(address,name,…), or has one mailbox a line. Lines that cannot be members are refused one by one and
reported; the others are added. Who left or was removed before is refused, unless with --again.
Nobody is mailed unless with --welcome. Ends with status 1 if a line was refused.`,
		Args: arguments(2, 2),
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only report what would happen")
	cmd.Flags().BoolVar(&o.Again, "again", false, "also those who left or were removed before")
	cmd.Flags().BoolVar(&o.Welcome, "welcome", false, "mail the new members a welcome")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		return s.importMembers(ctx, args[0], args[1], o)
	})
	return cmd
}

func (s *services) importMembers(ctx context.Context, list, path string, o lists.ImportOptions) error {
	l, err := s.list(ctx, list)
	if err != nil {
		return err
	}
	in, err := s.openInput(path)
	if err != nil {
		return err
	}
	defer in.Close()
	progress := s.progress()
	o.Progress = progress.show
	report, err := s.lists.Import(ctx, lists.CLI(), l.ID, in, o)
	progress.clear()
	if err != nil {
		return fmt.Errorf("import of %s into %s: %w", path, l.Address(), err)
	}
	if err := s.printImport(l, o, report); err != nil {
		return err
	}
	if report.Refused > 0 {
		refused := "were refused"
		if report.Refused == 1 {
			refused = "was refused"
		}
		return fmt.Errorf("%s of %s %s", plural(report.Refused, "line", "lines"), path, refused)
	}
	return nil
}

// openInput opens a file, or standard input for "-".
func (a *app) openInput(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(a.stdin), nil
	}
	return os.Open(path)
}

func (s *services) printImport(l lists.List, o lists.ImportOptions, r lists.ImportReport) error {
	if s.json {
		return newEncoder(s.stdout).Encode(viewImport(l, o, r))
	}
	for _, refusal := range r.Refusals {
		s.say("line %d: %q: %s", refusal.Line, refusal.Text, refusal.Reason)
	}
	if more := r.Refused - len(r.Refusals); more > 0 {
		s.say("and %s", plural(more, "line more", "lines more"))
	}
	verb := "added"
	if o.DryRun {
		verb = "would add"
	}
	s.say("%s: %s %d, already there %d, refused %d", l.Address(), verb, r.Added, r.Already, r.Refused)
	return nil
}

func viewImport(l lists.List, o lists.ImportOptions, r lists.ImportReport) importView {
	v := importView{
		List: l.Address().String(), DryRun: o.DryRun, Added: r.Added, Already: r.Already, Refused: r.Refused,
		Refusals: []refusalView{},
	}
	for _, refusal := range r.Refusals {
		v.Refusals = append(v.Refusals, refusalView{refusal.Line, refusal.Text, refusal.Reason})
	}
	return v
}

// progress rewrites one line of a terminal. Where standard error is none it says nothing.
type progress struct{ w io.Writer }

func (a *app) progress() progress {
	if f, ok := a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return progress{f}
	}
	return progress{io.Discard}
}

func (p progress) show(r lists.ImportReport) {
	fmt.Fprintf(p.w, "\r\x1b[Kadded %d, already there %d, refused %d", r.Added, r.Already, r.Refused)
}

func (p progress) clear() { fmt.Fprint(p.w, "\r\x1b[K") }

// plural is n with the words that fit it.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
