package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"muster/lists"
)

// story is what the demo shows.
type story struct {
	out  io.Writer
	node *node
	far  *farEnd

	list    lists.List
	members []lists.Member
}

// shownMembers is how many members and copies the story prints; people add more.
const shownMembers = 10

// arrivalPatience is how long the story waits for the copies.
const arrivalPatience = 30 * time.Second

// errStory says that the demo did not end as it should have.
var errStory = errors.New("the demo went wrong")

func (s *story) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// tell does the main job before the user's eyes.
func (s *story) tell(ctx context.Context) error {
	if err := s.introduce(ctx); err != nil {
		return err
	}
	p := newDemoPost(s.list)
	sent, err := s.converse(ctx, p)
	if err != nil {
		return err
	}
	return s.showCopies(ctx, p, sent)
}

// introduce says who is on the list, and who of them a post should reach.
func (s *story) introduce(ctx context.Context) error {
	page, err := s.node.lists.Members(ctx, lists.CLI(), s.list.ID, lists.MemberQuery{Limit: pageSize})
	if err != nil {
		return err
	}
	for _, m := range page.Members {
		if m.Mode == lists.ModeEach && m.State == lists.StateActive {
			s.members = append(s.members, m)
		}
	}
	s.printf("\nThe list %s (%s) has %s:\n\n", s.list.Address(), s.list.Title(), plural(len(s.members), "member", "members"))
	for i, m := range s.members {
		if i == shownMembers {
			s.printf("  and %d more\n", len(s.members)-i)
			break
		}
		s.printf("  %s%s\n", m.Mailbox(), ownerNote(m))
	}
	return nil
}

func ownerNote(m lists.Member) string {
	if m.Address == demoOwner {
		return "  (runs the list)"
	}
	return ""
}

// converse types what a mail administrator would, and returns when the post was accepted.
func (s *story) converse(ctx context.Context, p demoPost) (time.Time, error) {
	s.printf("\n1. A conversation with the SMTP server: C: is typed, S: is the answer\n\n")
	t, err := dialTalk(ctx, s.node.smtpAddress(), s.out)
	if err != nil {
		return time.Time{}, err
	}
	defer t.conn.Close()
	for _, step := range []struct{ line, code string }{
		{"HELO wombat.doc.ic.ac.uk", "250"},
		{"VRFY " + demoAuthor, "25"},
		{"VRFY postmaster", "25"},
		{"EXPN " + s.list.Local, "25"},
		{"MAIL From:<" + demoAuthor + ">", "250"},
		{"RCPT To:<" + s.list.Address().String() + ">", "250"},
		{"DATA", "354"},
	} {
		if err := t.expect(step.code, step.line); err != nil {
			return time.Time{}, fmt.Errorf("%w: %w", errStory, err)
		}
	}
	reply, err := t.send(p.message())
	sent := time.Now()
	if err := wanted("250", "the message", reply, err); err != nil {
		return sent, fmt.Errorf("%w: %w", errStory, err)
	}
	return sent, t.expect("221", "QUIT")
}

// showCopies waits until each member has their copy and prints them.
func (s *story) showCopies(ctx context.Context, p demoPost, sent time.Time) error {
	s.printf("\n2. The copies as they arrived. A mail server inside this demo stands for all others in the world.\n")
	waiting, cancel := context.WithTimeout(ctx, arrivalPatience)
	defer cancel()
	var copies []arrival
	complete := s.far.until(waiting, func(all []arrival) bool {
		copies = slices.Clone(all)
		copies = slices.DeleteFunc(copies, func(a arrival) bool { return !bytes.Contains(a.message, []byte(p.id)) })
		return len(s.missing(copies)) == 0
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	took := time.Since(sent)
	for i, c := range copies {
		if i == shownMembers {
			s.printf("\n  and %d more\n", len(copies)-i)
			break
		}
		s.printf("\n  MAIL FROM:<%s> RCPT TO:<%s>\n\n%s", c.from, c.to, quoted(c.message))
	}
	if !complete {
		return fmt.Errorf("%w: no copy arrived for %s", errStory, strings.Join(s.missing(copies), ", "))
	}
	return s.judge(copies, p, took)
}

// missing are the members who have no copy.
func (s *story) missing(copies []arrival) []string {
	got := map[string]bool{}
	for _, c := range copies {
		got[strings.ToLower(c.to)] = true
	}
	var missing []string
	for _, m := range s.members {
		if !got[strings.ToLower(m.Address)] {
			missing = append(missing, m.Address)
		}
	}
	return missing
}

// judge says what the copies prove: one each, and nothing of the text changed.
func (s *story) judge(copies []arrival, p demoPost, took time.Duration) error {
	if len(copies) > len(s.members) {
		return fmt.Errorf("%w: %d copies arrived for %d members", errStory, len(copies), len(s.members))
	}
	want := strings.ReplaceAll(p.body(), "\n", "\r\n")
	for _, c := range copies {
		if _, body, _ := strings.Cut(string(c.message), "\r\n\r\n"); body != want {
			return fmt.Errorf("%w: the text that %s got is not the one that was sent", errStory, c.to)
		}
	}
	s.printf("\nEach of %s has one copy, its text byte for byte the one that was sent. The last arrived\n%d ms after Muster's 250.\n",
		plural(len(s.members), "member", "members"), took.Milliseconds())
	return nil
}

// quoted is a message with a bar before each line.
func quoted(message []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(message)) {
		b.WriteString("  | " + strings.TrimRight(line, "\r\n") + "\n")
	}
	return b.String()
}

// demoPost is what Fred writes.
type demoPost struct {
	to   string
	id   string
	date time.Time
}

func newDemoPost(l lists.List) demoPost {
	now := time.Now()
	return demoPost{
		to:   fmt.Sprintf("%s <%s>", l.Title(), l.Address()),
		id:   fmt.Sprintf("<%d.demo@wombat.doc.ic.ac.uk>", now.UnixNano()),
		date: now,
	}
}

func (p demoPost) message() string {
	return "From: Fred Foo <" + demoAuthor + ">\n" +
		"To: " + p.to + "\n" +
		"Subject: Whose memory is it?\n" +
		"Date: " + p.date.Format(time.RFC1123Z) + "\n" +
		"Message-ID: " + p.id + "\n" +
		"\n" + p.body()
}

func (demoPost) body() string {
	return "Who frees what strdup() returned, the caller or nobody?\n\nFred\n"
}
