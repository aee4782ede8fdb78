package lists

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Bounds of what an answer shows: a mail is no place for more.
const (
	maxRoster  = 1000
	maxWhich   = 200
	maxPending = 50
	maxWaiting = 1000 // are counted of what waits
)

// info is what anybody who writes to a list may know of it.
func (o *order) info() []CommandRow {
	l := o.list
	rows := []CommandRow{
		{Label: "answer.list", Text: l.Title()},
		{Label: "answer.address", Text: l.Address().String()},
		{Label: "setting.join_policy", Code: "setting.join_policy." + l.JoinPolicy},
		{Label: "setting.post_policy", Code: "setting.post_policy." + l.PostPolicy},
	}
	for line := range strings.Lines(l.Description) {
		rows = append(rows, CommandRow{Text: strings.TrimSpace(line)})
	}
	return rows
}

// who is the roster, without those who hide from the author.
func (o *order) who(ctx context.Context) (CommandResult, error) {
	var page rosterPage
	if err := page.read(ctx, o.s.pool, o.list.ID, o.rights.Manages(), "", maxRoster+1); err != nil {
		return CommandResult{}, fmt.Errorf("members of %s: %w", o.list.Address(), err)
	}
	o.s.log.InfoContext(ctx, "members mailed", "list", o.list.Address().String(), "to", o.author.String(), "proved", o.proved())
	var rows []CommandRow
	for i, m := range page.members {
		if i == maxRoster {
			rows = append(rows, CommandRow{Code: "answer.more"})
			break
		}
		rows = append(rows, CommandRow{Text: m.String()})
	}
	return shown(OutcomeWho, rows), nil
}

// which are the lists of this site that the author's address is on.
func (o *order) which(ctx context.Context) (CommandResult, error) {
	found, err := selectMemberships(ctx, o.s.pool, o.author.Key(), maxWhich+1)
	if err != nil {
		return CommandResult{}, fmt.Errorf("lists of %s: %w", o.author, err)
	}
	var rows []CommandRow
	for i, m := range found {
		if i == maxWhich {
			rows = append(rows, CommandRow{Code: "answer.more"})
			break
		}
		text := m.Address
		if m.Mode != ModeEach {
			text += " (mode " + m.Mode + ")"
		}
		if m.State != StateActive {
			text += " (state " + m.State + ")"
		}
		rows = append(rows, CommandRow{Text: text})
	}
	return shown(OutcomeWhich, rows), nil
}

// stats are the numbers of a list, each counted up to a bound.
func (o *order) stats(ctx context.Context) (CommandResult, error) {
	page, err := o.s.Members(ctx, o.by, o.list.ID, MemberQuery{Limit: 1})
	if err != nil {
		return CommandResult{}, err
	}
	n, err := countListStats(ctx, o.s.pool, o.list.ID, firstIDAt(o.s.cfg.Now().AddDate(0, 0, -30)))
	if err != nil {
		return CommandResult{}, fmt.Errorf("numbers of %s: %w", o.list.Address(), err)
	}
	return shown(OutcomeStats, []CommandRow{
		{Label: "answer.members", Text: counted(page.Count, page.CountCapped)},
		{Label: "answer.posts", Text: counted(min(n.Posts, MaxCount), n.Posts > MaxCount)},
		{Label: "answer.held", Text: counted(min(n.Held, maxWaiting), n.Held > maxWaiting)},
		{Label: "answer.joins", Text: counted(min(n.Joins, maxWaiting), n.Joins > maxWaiting)},
	}), nil
}

// pending is what waits for a decision: held posts, and for owners, who wants to join.
func (o *order) pending(ctx context.Context) (CommandResult, error) {
	posts, err := o.s.Posts(ctx, o.by, o.list.ID, PostQuery{State: PostHeld, Limit: maxPending})
	if err != nil {
		return CommandResult{}, err
	}
	var rows []CommandRow
	for _, p := range posts.Posts {
		rows = append(rows, CommandRow{Label: "answer.post", Text: p.Author + ": " + p.Subject})
	}
	more := posts.More
	if o.rights.Manages() {
		joins, err := o.s.PendingJoins(ctx, o.by, o.list.ID, 0, maxPending+1)
		if err != nil {
			return CommandResult{}, err
		}
		for _, j := range joins[:min(len(joins), maxPending)] {
			rows = append(rows, CommandRow{Label: "answer.join", Text: j.Address})
		}
		more = more || len(joins) > maxPending
	}
	if more {
		rows = append(rows, CommandRow{Code: "answer.more"})
	}
	return shown(OutcomePending, rows), nil
}

// shown is an outcome with rows, or that there are none.
func shown(outcome string, rows []CommandRow) CommandResult {
	if len(rows) == 0 {
		outcome = OutcomeNothing
	}
	return CommandResult{Outcome: outcome, Rows: rows}
}

// counted is a number that may stand for more.
func counted(n int, capped bool) string {
	text := strconv.Itoa(n)
	if capped {
		text += "+"
	}
	return text
}

// firstIDAt is before every id that is made from a moment on: version 7 begins with the milliseconds
// (RFC 9562 §5.7).
func firstIDAt(at time.Time) uuid.UUID {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(at.UnixMilli())<<16)
	var id uuid.UUID
	copy(id[:6], b[:6])
	return id
}
