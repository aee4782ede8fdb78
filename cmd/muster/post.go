package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"muster/lists"
)

// postView is a post as --json prints it.
type postView struct {
	ID        string         `json:"id"`
	State     string         `json:"state"`
	Arrived   time.Time      `json:"arrived"`
	Accepted  *time.Time     `json:"accepted"`
	Sender    string         `json:"sender"`
	Author    string         `json:"author"`
	MessageID string         `json:"message_id"`
	Subject   string         `json:"subject"`
	Size      int64          `json:"size"`
	Since     *time.Time     `json:"since,omitempty"`
	HeldFor   string         `json:"held_for,omitempty"`
	ClaimedBy string         `json:"claimed_by,omitempty"`
	Edits     []editView     `json:"edits,omitempty"`
	Proved    bool           `json:"authenticated"`
	Results   []resultView   `json:"results,omitempty"`
	Decisions []decisionView `json:"decisions,omitempty"`
	Copies    *copiesView    `json:"copies,omitempty"`
}

// resultView is what one check of who vouches for a message came to.
type resultView struct {
	Method string            `json:"method"`
	Result string            `json:"result"`
	Reason string            `json:"reason,omitempty"`
	About  map[string]string `json:"about,omitempty"`
}

type decisionView struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Reason string    `json:"reason"`
}

// editView is one change of what the copies of a post will be.
type editView struct {
	Subject string `json:"subject,omitempty"`
	Dropped string `json:"dropped,omitempty"`
}

func viewPost(p lists.Post) postView {
	v := postView{
		ID: p.ID.String(), State: p.State, Arrived: p.Arrived, Accepted: p.Accepted, Sender: p.Sender, Author: p.Author,
		MessageID: p.MessageID, Subject: p.Subject, Size: p.Size, Proved: p.Authenticated,
		HeldFor: p.HeldFor, ClaimedBy: p.ClaimedBy,
	}
	if p.Waits() {
		v.Since = &p.Since
	}
	for _, e := range p.Edits {
		v.Edits = append(v.Edits, editView{Subject: e.Subject, Dropped: e.Name})
	}
	return v
}

// viewResults are the results that were stored with a post.
func viewResults(p lists.Post) []resultView {
	var views []resultView
	for _, r := range p.Results() {
		v := resultView{Method: r.Method, Result: string(r.Value), Reason: r.Reason, About: map[string]string{}}
		for _, prop := range r.Props {
			v.About[prop.Name] = prop.Value
		}
		views = append(views, v)
	}
	return views
}

func (a *app) postCommand() *cobra.Command {
	return group("post", "Posts to lists, held ones among them",
		a.postLsCommand(),
		a.postShowCommand(),
		a.postTraceCommand(),
		a.postExplainCommand(),
		a.postHoldCommand(),
		a.postReleaseCommand(),
		a.postRejectCommand(),
		a.postDiscardCommand(),
		a.postClaimCommand(),
		a.postEditCommand(),
		a.postForwardCommand(),
	)
}

func (a *app) postLsCommand() *cobra.Command {
	var query lists.PostQuery
	cmd := &cobra.Command{
		Use:   "ls LIST",
		Short: "List the posts of a list, the youngest first",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringVar(&query.State, "state", "", "only those accepted, held, unconfirmed, rejected or discarded")
	query.Limit = pageSize
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		if err := checkPostState(query.State); err != nil {
			return err
		}
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		return s.printPosts(ctx, l, query)
	})
	return cmd
}

func checkPostState(state string) error {
	switch state {
	case "", lists.PostAccepted, lists.PostHeld, lists.PostUnconfirmed, lists.PostRejected, lists.PostDiscarded:
		return nil
	}
	return usagef("--state %q is none of %s, %s, %s, %s, %s", state, lists.PostAccepted, lists.PostHeld, lists.PostUnconfirmed, lists.PostRejected, lists.PostDiscarded)
}

func (s *services) printPosts(ctx context.Context, l lists.List, query lists.PostQuery) error {
	p := s.printer("ID", "ARRIVED", "STATE", "AUTHOR", "SUBJECT")
	for {
		page, err := s.lists.Posts(ctx, lists.CLI(), l.ID, query)
		if err != nil {
			return err
		}
		for _, post := range page.Posts {
			query.Before = post.ID
			arrived := post.Arrived.Local().Format(time.DateTime)
			if err := p.row(viewPost(post), post.ID.String(), arrived, post.State, post.Author, post.Subject); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil || !page.More {
			return err
		}
	}
}

func parsePostID(arg string) (uuid.UUID, error) {
	id, err := uuid.Parse(arg)
	if err != nil {
		return uuid.UUID{}, usagef("%q is not the id of a post; muster post ls shows them", arg)
	}
	return id, nil
}

func (a *app) postShowCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a post, what was decided on it, and how far its copies are",
		Args:  arguments(1, 1),
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write the message as it came in, and nothing else")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		id, err := parsePostID(args[0])
		if err != nil {
			return err
		}
		post, decisions, err := s.lists.PostByID(ctx, lists.CLI(), id)
		if err != nil {
			return err
		}
		if raw {
			return s.lists.WriteRaw(ctx, lists.CLI(), post, s.stdout)
		}
		return s.showPost(ctx, post, decisions)
	})
	return cmd
}

func (s *services) showPost(ctx context.Context, post lists.Post, decisions []lists.Decision) error {
	copies, err := s.copies(ctx, post)
	if err != nil {
		return err
	}
	if s.json {
		v := viewPost(post)
		v.Copies, v.Results = copies, viewResults(post)
		for _, d := range decisions {
			v.Decisions = append(v.Decisions, decisionView{d.At, d.Actor, d.Action, d.Reason})
		}
		return newEncoder(s.stdout).Encode(v)
	}
	p := s.printer()
	p.row(nil, "id", post.ID.String())
	p.row(nil, "state", post.State)
	p.row(nil, "arrived", post.Arrived.Local().Format(time.DateTime))
	p.row(nil, "author", post.Author)
	for _, r := range post.Results() {
		p.row(nil, "authentication", r.String())
	}
	if post.Results() != nil || post.Authenticated {
		p.row(nil, "proved to be the author", map[bool]string{true: "yes", false: "no"}[post.Authenticated])
	}
	p.row(nil, "envelope sender", "<"+post.Sender+">")
	p.row(nil, "subject", post.Subject)
	p.row(nil, "message id", post.MessageID)
	p.row(nil, "size", strconv.FormatInt(post.Size, 10)+" octets")
	if post.Waits() {
		p.row(nil, "waits since", post.Since.Local().Format(time.DateTime))
	}
	if post.ClaimedBy != "" {
		p.row(nil, "claimed by", post.ClaimedBy)
	}
	for _, d := range decisions {
		p.row(nil, d.At.Local().Format(time.DateTime), strings.TrimSpace(fmt.Sprintf("%s by %s: %s", d.Action, d.Actor, d.Reason)))
	}
	if copies != nil {
		copies.print(p)
	}
	return p.flush()
}

// eachPost does the same to several posts, after all of the ids were read.
func (s *services) eachPost(args []string, done string, do func(uuid.UUID) (lists.Post, error)) error {
	ids := make([]uuid.UUID, 0, len(args))
	for _, arg := range args {
		id, err := parsePostID(arg)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		post, err := do(id)
		if err != nil {
			return fmt.Errorf("post %s: %w", id, err)
		}
		s.say("%s %s", done, id)
		if s.json {
			if err := newEncoder(s.stdout).Encode(viewPost(post)); err != nil {
				return err
			}
		}
	}
	return nil
}
