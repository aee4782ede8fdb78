package fanout

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"muster/lists"
)

// Progress is how far the fan-out of a post is. Copies is what is planned so far; Delivered,
// Deferred, Bounced, Dropped and Waiting add up to it.
type Progress struct {
	Planned   bool // every copy is counted in Copies
	Finished  bool // nothing will change any more
	Copies    int64
	Delivered int64
	Deferred  int64  // refused for now, to be tried again
	Bounced   int64  // refused for good, or given up
	More      bool   // more than Deferred are deferred, and fewer than Bounced bounced: not all were counted
	Dropped   int64  // members who left before their copy, and copies given up
	Waiting   int64  // not tried yet
	GivenUp   bool   // somebody dropped what was left of it
	Error     string // why it was set aside, if it was
	Replies   []Reply
	Reports   []ReportCount // in the order of a copy's way
}

// Reply is what one server answered, and to how many copies. Those that took copies are counted
// over the latest pieces of the journal, each with its last words; refusals, up to MaxCounted.
type Reply struct {
	Host   string
	Text   string // code and words
	Copies int64
	Last   time.Time
}

// Progress tells how far the fan-out of a post is; all zero for one that is not begun.
func (e *Engine) Progress(ctx context.Context, post uuid.UUID) (Progress, error) {
	r, err := selectProgress(ctx, e.pool, post)
	if err != nil || r == nil {
		return Progress{}, err
	}
	p := Progress{
		Planned: r.Planned, Finished: r.Finished, Copies: r.Copies, Delivered: r.Delivered,
		Deferred: min(r.Deferred, MaxCounted), Dropped: r.Dropped, More: r.Deferred > MaxCounted, GivenUp: r.GivenUp, Error: r.Error,
	}
	p.Bounced = max(r.Settled-p.Delivered-p.Deferred-p.Dropped, 0)
	p.Waiting = max(p.Copies-r.Settled, 0)
	if p.Replies, err = e.replies(ctx, r.ID); err != nil {
		return p, err
	}
	if r.Tracking != lists.TrackOff {
		p.Reports, err = selectReportCounts(ctx, e.pool, r.ID)
	}
	return p, err
}

// Bounds of what is looked at to say what servers answered.
const (
	maxReplies  = 20
	maxJournals = 40
)

func (e *Engine) replies(ctx context.Context, fanout int64) ([]Reply, error) {
	refusals, err := selectReplies(ctx, e.pool, fanout, maxReplies)
	if err != nil {
		return nil, err
	}
	pieces, err := selectJournals(ctx, e.pool, fanout, maxJournals)
	if err != nil {
		return nil, err
	}
	taken := map[string]*Reply{}
	for _, p := range pieces {
		if err := e.pack.each(p, func(a Attempt, first, last int32) {
			if len(a.Reply) == 0 || a.Reply[0] != '2' {
				return
			}
			r := taken[a.Host]
			if r == nil {
				r = &Reply{Host: a.Host}
				taken[a.Host] = r
			}
			r.Copies += int64(last - first + 1)
			if a.At.After(r.Last) {
				r.Text, r.Last = a.Reply, a.At
			}
		}); err != nil {
			return nil, fmt.Errorf("fan-out %d: %w", fanout, err)
		}
	}
	all := refusals
	for _, r := range taken {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Reply) int {
		return cmp.Or(-cmp.Compare(a.Copies, b.Copies), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Text, b.Text))
	})
	return all[:min(len(all), maxReplies)], nil
}

// Trace tells what servers answered about the copy of one member of a post, in order, from the
// journal. A copy under way has what was saved of it.
func (e *Engine) Trace(ctx context.Context, post uuid.UUID, memberKey string) ([]Attempt, error) {
	places, err := selectPlaces(ctx, e.pool, post, memberKey)
	if err != nil {
		return nil, err
	}
	var found []Attempt
	for _, p := range places {
		if err := e.pack.each(p.Lines, func(a Attempt, first, last int32) {
			if first <= p.Place && p.Place <= last {
				found = append(found, a)
			}
		}); err != nil {
			return nil, fmt.Errorf("post %s: %w", post, err)
		}
	}
	slices.SortStableFunc(found, func(a, b Attempt) int { return a.At.Compare(b.At) })
	return found, nil
}

// Waits tells what keeps the copy of one member of a post from being tried: the destination is left
// alone, on all nodes. Servers say nothing of a copy then, so Trace does not either.
func (e *Engine) Waits(ctx context.Context, post uuid.UUID, memberKey string) ([]Wait, error) {
	return selectWaits(ctx, e.pool, post, memberKey)
}

// each unfolds a stored journal.
func (p *packer) each(packed []byte, yield func(a Attempt, first, last int32)) error {
	lines, err := p.decoder.DecodeAll(packed, nil)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for line := range bytes.Lines(lines) {
		a, first, last, err := parseLine(string(bytes.TrimSuffix(line, []byte("\n"))))
		if err != nil {
			return err
		}
		yield(a, first, last)
	}
	return nil
}

// Copies is what became of copies that this engine sent, or tried to. A copy counts at each attempt.
type Copies struct {
	Delivered int64
	Deferred  int64 // refused for now, to be tried again
	Bounced   int64 // refused for good, or for now at the last attempt
	Dropped   int64 // their members had left
}

// Copies is what became of copies since the engine was made.
func (e *Engine) Copies() Copies {
	c := e.copies
	return Copies{Delivered: c.delivered.Load(), Deferred: c.deferred.Load(), Bounced: c.bounced.Load(), Dropped: c.dropped.Load()}
}

// Status is what waits to be sent, on all nodes.
type Status struct {
	Unplanned    int64     // posts and notices accepted, no copy of which is planned
	Waiting      int64     // copies not tried yet
	Queued       int64     // shards behind an older post of their list
	Ready        int64     // shards that a node may claim
	Claimed      int64     // shards that a node is sending
	Held         int64     // of these, kept by a hold
	Deferred     int64     // copies to be tried again
	Aside        int64     // fan-outs and shards that were set aside, for somebody to look
	More         bool      // the counts are the least there is: the queue has more than MaxCounted entries
	Oldest       time.Time // acceptance of the oldest that is not finished; zero if none is
	Nodes        []Node
	Destinations []Destination
	Holds        []Hold   // as Holds tells them
	Throttle     Throttle // what limits all that goes out
}

// Node is a process that sends.
type Node struct {
	ID    int64
	Host  string
	Since time.Time
	Seen  time.Time // its last beat
	Alive bool
	// Stopped says that it was told to stop and did; one that is neither alive nor stopped is dead.
	Stopped bool
}

// Destination is where copies wait to go: "relay", "mx:" and a domain, or "mixed" for domains with
// few members each.
type Destination struct {
	Name     string
	Waiting  int64
	Deferred int64
	Blocked  time.Time // left alone until then; zero if it is not
	Reply    string    // why
	ID       int64     // of its row; 0 for one that only members of mixed shards go to
	Oldest   time.Time // acceptance of the oldest that waits; zero if none does
	// What the nodes tell of where it leads just now; Lane is "" if they tell nothing.
	Lane        string // the set of MX hosts, or the relays
	Group       string // what it is counted under: relays, the patterns of a rule, or OtherGroup
	Connections int
	Limit       int    // connections there may be now
	Host        string // that had the last word
	Words       string
	Said        time.Time
}

// AllHeld says whether all outgoing mail is held.
func (s Status) AllHeld() bool { return len(s.Holds) > 0 && s.Holds[0].What == Selection{} }

// maxDestinations bounds the destinations of a Status, those with most waiting first.
const maxDestinations = 100

// Status tells what waits to be sent.
func (e *Engine) Status(ctx context.Context) (Status, error) {
	s, err := selectStatus(ctx, e.pool)
	if err != nil {
		return Status{}, err
	}
	if s.Nodes, err = selectNodes(ctx, e.pool); err != nil {
		return Status{}, err
	}
	if s.Destinations, err = selectDestinations(ctx, e.pool, maxDestinations); err != nil {
		return Status{}, err
	}
	if s.Holds, err = e.Holds(ctx); err != nil {
		return Status{}, err
	}
	if s.Throttle, err = e.Throttled(ctx); err != nil {
		return Status{}, err
	}
	s.Destinations, err = e.withLanes(ctx, s.Destinations)
	return s, err
}
