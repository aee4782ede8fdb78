package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/fanout"
	"muster/lists"
)

// copiesView is how far a post's copies are, as --json prints it.
type copiesView struct {
	Planned   bool        `json:"planned"`
	Finished  bool        `json:"finished"`
	Copies    int64       `json:"copies"`
	Delivered int64       `json:"delivered"`
	Deferred  int64       `json:"deferred"`
	Bounced   int64       `json:"bounced"`
	Dropped   int64       `json:"dropped"`
	Waiting   int64       `json:"waiting"`
	More      bool        `json:"more"` // more than Deferred are, and fewer than Bounced
	Error     string      `json:"error,omitempty"`
	Replies   []replyView `json:"replies"`
	Reports   []countView `json:"reports,omitempty"`
}

// countView is of how many copies one thing was reported.
type countView struct {
	Report string `json:"report"`
	Copies int64  `json:"copies"`
	More   bool   `json:"more,omitempty"` // there are more
}

type replyView struct {
	Host   string `json:"host"`
	Reply  string `json:"reply"`
	Copies int64  `json:"copies"`
}

// copies are those of a post that goes to members; nil for any other.
func (s *services) copies(ctx context.Context, post lists.Post) (*copiesView, error) {
	if post.State != lists.PostAccepted {
		return nil, nil
	}
	p, err := s.engine().Progress(ctx, post.ID)
	if err != nil {
		return nil, err
	}
	v := &copiesView{
		Planned: p.Planned, Finished: p.Finished, Copies: p.Copies, Delivered: p.Delivered, Deferred: p.Deferred,
		Bounced: p.Bounced, More: p.More, Dropped: p.Dropped, Waiting: p.Waiting, Error: p.Error, Replies: []replyView{},
	}
	for _, r := range p.Replies {
		v.Replies = append(v.Replies, replyView{r.Host, r.Text, r.Copies})
	}
	for _, r := range p.Reports {
		v.Reports = append(v.Reports, countView{r.Kind, r.Copies, r.More})
	}
	return v, nil
}

// engine answers questions about the fan-out; it does not run here.
func (s *services) engine() *fanout.Engine {
	return fanout.New(s.db.Pool, fanout.Config{MaxBacklog: int64(s.cfg.MaxBacklog)})
}

// attemptView is one answer about one copy, as --json prints it.
type attemptView struct {
	At    time.Time `json:"at"`
	Host  string    `json:"host"`
	Reply string    `json:"reply"`
}

// reportView is what was reported of one copy, as --json prints it.
type reportView struct {
	At     time.Time `json:"at"`
	Host   string    `json:"host"`
	Report string    `json:"report"`
	Status string    `json:"status,omitempty"`
	Text   string    `json:"text,omitempty"`
}

// words are what a report says, in one line.
func (v reportView) words() string {
	return strings.TrimSpace(strings.Join(slices.DeleteFunc([]string{"reported:", reported(v.Report), v.Status, v.Text}, func(s string) bool { return s == "" }), " "))
}

// reported puts the kind of a report into words.
func reported(kind string) string {
	if kind == "delivered" {
		return "delivered to mailbox"
	}
	return kind
}

// waitView is what a copy waits for, as --json prints it.
type waitView struct {
	Destination string    `json:"destination"`
	Until       time.Time `json:"until"`
	Reply       string    `json:"reply"`
}

func (a *app) postTraceCommand() *cobra.Command {
	var member string
	cmd := &cobra.Command{
		Use:   "trace ID --member ADDRESS",
		Short: "Show what happened to one copy of a post: what each server answered, what was reported of it, and what it waits for",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringVar(&member, "member", "", "whose copy")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		if member == "" {
			return usagef("say whose copy: --member ADDRESS")
		}
		id, err := parsePostID(args[0])
		if err != nil {
			return err
		}
		post, _, err := s.lists.PostByID(ctx, lists.CLI(), id)
		if err != nil {
			return err
		}
		return s.showAttempts(ctx, post, member)
	})
	return cmd
}

// showAttempts prints what servers answered about one member's copy.
func (s *services) showAttempts(ctx context.Context, post lists.Post, member string) error {
	address, err := parseAddress(member)
	if err != nil {
		return err
	}
	attempts, err := s.engine().Trace(ctx, post.ID, address.Key())
	if err != nil {
		return err
	}
	waits, err := s.engine().Waits(ctx, post.ID, address.Key())
	if err != nil {
		return err
	}
	reports, err := s.engine().Reports(ctx, post.ID, address.Key())
	if err != nil {
		return err
	}
	if len(attempts)+len(waits)+len(reports) == 0 {
		return fmt.Errorf("post %s: no server's answer about a copy for %s is kept: none was asked yet, it was more than two weeks ago, "+
			"or the node that asked was killed", post.ID, address)
	}
	p := s.printer("AT", "SERVER", "ANSWER")
	for _, a := range attempts {
		if err := p.row(attemptView(a), a.At.Local().Format(time.DateTime), a.Host, a.Reply); err != nil {
			return err
		}
	}
	for _, r := range reports {
		v := reportView{r.At, r.Host, r.Kind, r.Status, r.Text}
		if err := p.row(v, v.At.Local().Format(time.DateTime), v.Host, v.words()); err != nil {
			return err
		}
	}
	for _, w := range waits {
		if err := p.row(waitView(w), "waits", w.Destination, w.Reply); err != nil {
			return err
		}
	}
	return p.flush()
}

func (v *copiesView) print(p *printer) {
	p.row(nil, "copies", v.summary())
	if v.Error != "" {
		p.row(nil, "set aside", v.Error)
	}
	if len(v.Reports) > 0 {
		p.row(nil, "reported", v.reported())
	}
	for _, r := range v.Replies {
		p.row(nil, "", fmt.Sprintf("%d × %s: %s", r.Copies, r.Host, r.Reply))
	}
}

func (v *copiesView) reported() string {
	var words []string
	for _, r := range v.Reports {
		more := ""
		if r.More {
			more = "more than "
		}
		words = append(words, fmt.Sprintf("%s %s%d", reported(r.Report), more, r.Copies))
	}
	return strings.Join(words, ", ")
}

func (v *copiesView) summary() string {
	planned := strconv.FormatInt(v.Copies, 10)
	if !v.Planned {
		planned += " so far"
	}
	deferred, bounced := strconv.FormatInt(v.Deferred, 10), strconv.FormatInt(v.Bounced, 10)
	if v.More {
		deferred, bounced = "more than "+deferred, "fewer than "+bounced
	}
	return fmt.Sprintf("%s: %d delivered, %d waiting, %s deferred, %s bounced, %d dropped",
		planned, v.Delivered, v.Waiting, deferred, bounced, v.Dropped)
}
