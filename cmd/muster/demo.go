package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/cmd/muster/config"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show what Muster does, with a list and a mail server of its own",
		Long: `Show what Muster does: makes the list c-help@lists.example in a data directory of its own, posts a
message to it over SMTP, and shows every copy as it arrives. No mail leaves the machine: a mail server
inside the demo takes it all. Then the demo stays up to be tried. It finds its data again the next time.

The demo does not read /etc/muster/muster.toml or the environment.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), cmd, once) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the story, with status 1 if a copy did not arrive")
	config.AddFlags(cmd.Flags(), config.Serving)
	return cmd
}

func (a *app) demo(ctx context.Context, cmd *cobra.Command, once bool) (err error) {
	c, err := a.demoSettings(cmd)
	if err != nil {
		return err
	}
	log := newLogger(c, a.stderr)
	far, err := newFarEnd(log, nil)
	if err != nil {
		return err
	}
	far.start()
	defer func() { err = errors.Join(err, far.stop(context.WithoutCancel(ctx))) }()
	c.Relay = []config.Relay{{URL: far.URL(), Weight: 1}}
	fmt.Fprintf(a.stdout, "Muster demo, data in %s\n", c.DataDir)
	n, err := newNode(ctx, c, log)
	if err != nil {
		return err
	}
	err = n.run(ctx, func(ctx context.Context) error {
		s := &story{out: a.stdout, node: n, far: far}
		if err := s.begin(ctx); err != nil || once {
			return err
		}
		if err := s.suggest(ctx, c); err != nil {
			return err
		}
		s.watch(ctx)
		return nil
	})
	if !once && errors.Is(err, context.Canceled) {
		return nil // stopped in the middle of the story
	}
	return err
}

// demoSettings are the defaults of a demo under the flags that were given.
func (a *app) demoSettings(cmd *cobra.Command) (*config.Config, error) {
	c, err := config.Load(config.Sources{
		File: a.configFile, NoFile: true, Flags: cmd.Flags(),
		Defaults: map[string]string{
			"data_dir":         config.DefaultDataDir(a.env) + "-demo",
			"hostname":         demoDomain,
			"auth_without_tls": "true",
			"log_level":        "warn",
			"smtp_listen":      freeOr("127.0.0.1:2525"),
			"http_listen":      freeOr("127.0.0.1:8080"),
		},
	})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// freeOr is the address if nobody listens there, else any free port beside it: a demo that nobody
// told where to listen does not insist.
func freeOr(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		host, _, _ := net.SplitHostPort(address)
		return net.JoinHostPort(host, "0")
	}
	l.Close()
	return address
}

// begin finds or makes the list and tells the story.
func (s *story) begin(ctx context.Context) (err error) {
	found := false
	if s.list, found, err = demoList(ctx, s.node.lists); err != nil {
		return err
	}
	s.printf("SMTP on %s, the site on %s\n", s.node.smtpAddress(), s.node.cfg.BaseURL)
	if found {
		s.printf("Found the list and its members from an earlier run.\n")
	}
	return s.tell(ctx)
}

// suggest says what to try.
func (s *story) suggest(ctx context.Context, c *config.Config) error {
	password, err := demoPassword(ctx, s.node.lists, c.DataDir)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.node.smtpAddress())
	if err != nil {
		host, port = s.node.smtpAddress(), ""
	}
	program := "muster"
	if path, err := os.Executable(); err == nil {
		program = shortPath(path)
	}
	s.printf(`
3. What to try now. Muster stays up; Ctrl-C stops it.

  In a browser      %[1]s
                    sign in as %[2]s with the password %[3]s
                    or subscribe to the list: the mail to confirm it is shown below
  By hand           telnet %[4]s %[5]s
                    and type what is typed above
  Post with swaks   swaks --server %[4]s --port %[5]s --from %[6]s --to %[7]s
  From a shell      %[8]s member add %[7]s "Zoe Zed <zoe@z.example>" --data-dir %[9]s
                    %[8]s queue status --data-dir %[9]s

Mail that goes out from now on:
`, s.node.cfg.BaseURL, demoOwner, password, host, port, demoAuthor, s.list.Address(), program, c.DataDir)
	return nil
}

// shortPath is a path as one would type it here.
func shortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return "./" + rel
	}
	return path
}

// watch prints what arrives until ctx ends.
func (s *story) watch(ctx context.Context) {
	seen := s.far.count()
	s.far.until(ctx, func(all []arrival) bool {
		for ; seen < len(all); seen++ {
			printArrival(s.out, all[seen])
		}
		return false
	})
	s.printf("\nStopping.\n")
}

// printArrival prints a copy in short: what it is, to whom, and the first lines of its text. A mail
// that asks for an answer has its link there.
func printArrival(w io.Writer, a arrival) {
	header, body, _ := bytes.Cut(a.message, []byte("\r\n\r\n"))
	subject := ""
	for line := range strings.Lines(string(header)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Subject") {
			subject = strings.TrimSpace(value)
		}
	}
	fmt.Fprintf(w, "\n  %s  to %s: %s\n", time.Now().Format(time.TimeOnly), a.to, subject)
	const shown = 12
	for i, line := range bytes.Split(bytes.TrimSpace(body), []byte("\r\n")) {
		if i == shown {
			fmt.Fprintln(w, "  | …")
			break
		}
		fmt.Fprintf(w, "  | %s\n", line)
	}
}
