package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
	"muster/lists/verdict"
	"muster/templates"
)

// explainView is a verdict as --json prints it: codes, as they are stored.
type explainView struct {
	ID      string         `json:"id,omitempty"`
	At      *time.Time     `json:"at,omitempty"`
	Actor   string         `json:"actor,omitempty"`
	Action  string         `json:"action"`
	Reason  string         `json:"reason"`
	Refusal string         `json:"refusal,omitempty"` // what the sender would be told
	Trace   []verdict.Step `json:"trace"`
}

func (a *app) postExplainCommand() *cobra.Command {
	var list, from string
	var authenticated bool
	cmd := &cobra.Command{
		Use:   "explain ID | explain --list LIST FILE",
		Short: "Show which rules a post was judged by, what they found, and which decided",
		Long: "Show which rules a post was judged by, what they found, and which decided. With --list it tells what would\n" +
			"become of a message in a file (- is standard input), and nothing is posted, counted or mailed.",
		Args: arguments(1, 1),
	}
	cmd.Flags().StringVar(&list, "list", "", "judge the message in a file for this list")
	cmd.Flags().StringVar(&from, "from", "", "its envelope sender, <> for none (default the address in From)")
	cmd.Flags().BoolVar(&authenticated, "authenticated", false, "as if the domain in From vouched for it; else nothing is known of that")
	cmd.RunE = a.with(func(ctx context.Context, cmd *cobra.Command, s *services, args []string) error {
		if list == "" {
			if cmd.Flags().Changed("from") || authenticated {
				return usagef("--from and --authenticated go with --list LIST FILE")
			}
			return s.explainPost(ctx, args[0])
		}
		l, err := s.list(ctx, list)
		if err != nil {
			return err
		}
		e := lists.Explanation{Authenticated: authenticated, Null: from == "<>"}
		if from != "" && !e.Null {
			if e.From, err = parseAddress(from); err != nil {
				return err
			}
		}
		return s.explainFile(ctx, l, args[0], e)
	})
	return cmd
}

// explainPost shows what was decided on a post when it came.
func (s *services) explainPost(ctx context.Context, arg string) error {
	id, err := parsePostID(arg)
	if err != nil {
		return err
	}
	post, decisions, err := s.lists.PostByID(ctx, lists.CLI(), id)
	if err != nil {
		return err
	}
	for _, d := range decisions {
		v := explainView{ID: post.ID.String(), At: &d.At, Actor: d.Actor, Action: d.Action, Reason: d.Reason, Trace: d.Trace}
		if err := s.printExplained(v); err != nil {
			return err
		}
	}
	return nil
}

// maxExplained is the largest file that is looked at.
const maxExplained = 64 << 20

func (s *services) explainFile(ctx context.Context, l lists.List, path string, e lists.Explanation) error {
	raw, err := readMessage(s.stdin, path)
	if err != nil {
		return err
	}
	header := len(raw)
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		header = i + len("\r\n\r\n")
	}
	e.Message = lists.Message{
		Size: int64(len(raw)), HeaderLen: int64(header), Open: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(raw)) },
	}
	d, refusal, err := s.lists.Explain(ctx, lists.CLI(), l.ID, e)
	if err != nil {
		return err
	}
	v := explainView{Action: string(d.Action), Reason: d.Code(), Trace: d.Trace}
	if refusal != nil {
		v.Refusal = refusal.Msg
	}
	return s.printExplained(v)
}

// readMessage reads a message in a file as it would arrive: without the line of a mailbox before it, its lines
// ended by CR LF.
func readMessage(stdin io.Reader, path string) ([]byte, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxExplained+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(raw) > maxExplained {
		return nil, fmt.Errorf("%s has more than %d octets", path, maxExplained)
	}
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")), nil
}

func (s *services) printExplained(v explainView) error {
	if s.json {
		return newEncoder(s.stdout).Encode(v)
	}
	words, err := templates.In("en")
	if err != nil {
		return err
	}
	reason := v.Reason
	if id := "reason." + v.Reason; words.Has(id) && (v.Actor == "" || v.Actor == lists.ActorRules) {
		reason = words.Text(id, nil)
	}
	p := s.printer()
	if v.At != nil {
		p.row(nil, v.At.Local().Format(time.DateTime), v.Action+" by "+v.Actor, reason)
	} else {
		p.row(nil, v.Action, reason)
	}
	if v.Refusal != "" {
		p.row(nil, "refused with", v.Refusal)
	}
	if err := p.flush(); err != nil || len(v.Trace) == 0 {
		return err
	}
	p = s.printer("RULE", "ASKED", "FOUND", "")
	for _, step := range v.Trace {
		asked, found := words.Step(step.Rule, step.Answer, step.Params)
		mark := string(step.Action)
		if step.Decided(v.Reason) {
			mark += " (decided)"
		}
		p.row(nil, step.Rule, asked, found, mark)
	}
	return p.flush()
}
