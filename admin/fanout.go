package admin

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Progress tells how far the fan-out of a post is.
type Progress interface {
	Progress(ctx context.Context, post uuid.UUID) (Fanout, error)
}

// Fanout is how far a post has come. Copies is what is planned so far; the other numbers add up to
// it.
type Fanout struct {
	Planned   bool // every copy is counted in Copies
	Copies    int64
	Delivered int64
	Deferred  int64 // refused for now, to be tried again
	Bounced   int64 // refused for good, or given up
	More      bool  // more than Deferred are deferred, and fewer than Bounced bounced: not all were counted
	Waiting   int64 // not tried yet
	Replies   []Answer
	Reports   []Reported // in the order of a copy's way
	Paused    bool       // by somebody, until it is resumed
	Stopped   bool       // paused because too many of its copies were refused
	Held      bool       // with its list, or with all mail
	Cancelled bool       // what was left of it was given up
}

// Reported is of how many copies one thing was reported by those who got them: "delivered", "displayed".
type Reported struct {
	Kind   string
	Copies int64
	More   bool // there are more
}

// Done says whether nothing will change any more.
func (f Fanout) Done() bool { return f.Planned && f.Waiting == 0 && f.Deferred == 0 }

// Answer is what receiving servers said, and to how many copies.
type Answer struct {
	Host   string
	Reply  string // the code and the words of the server
	Copies int64
	Last   time.Time
}

// Queue tells what waits to be sent.
type Queue interface {
	Queue(ctx context.Context) (Backlog, error)
}

// Control stops what is sent, and lets it go on. All of it is by the name of who did it.
type Control interface {
	Pause(ctx context.Context, post uuid.UUID, by string) error
	Resume(ctx context.Context, post uuid.UUID, by string) error
	Cancel(ctx context.Context, post uuid.UUID, by string) error
	HoldAll(ctx context.Context, by string) error // all outgoing mail
	ReleaseAll(ctx context.Context, by string) error
	AllHeld(ctx context.Context) (bool, error)
	Full() bool // so much waits that new posts are put off
}

// Backlog is what waits to be sent on all nodes.
type Backlog struct {
	Unplanned    int64 // posts accepted and not yet planned
	Waiting      int64 // copies not tried yet
	Deferred     int64 // copies to be tried again
	Held         int64 // of those not tried yet, kept by a hold
	Most         int64 // copies that may wait before new posts are put off; 0: any number
	Throttle     Throttle
	More         bool // the counts are the least there is: not all of the queue was looked through
	Oldest       time.Time
	Nodes        []Node
	Destinations []Destination
	Holds        []Hold
}

// Throttle is what limits all that goes out.
type Throttle struct {
	Rate, Window string // as set; "" for none
	Used         int64  // copies, of the window
	HeldBack     string // which of them copies wait for: rate, window_limit, or ""
}

// Hold keeps a part of the mail from going out; one that names nothing all of it.
type Hold struct {
	List        string // address
	Destination string
	Post        string // subject
	At          time.Time
	By          string
}

// All says whether it is all mail that is held.
func (h Hold) All() bool { return h.List+h.Destination+h.Post == "" }

// Node is one running process.
type Node struct {
	Name  string
	Since time.Time
	Seen  time.Time
	Alive bool
	// Stopped says that it ended as it was told to.
	Stopped bool
}

// Destination is where copies go: a relay, or the mail server of a domain.
type Destination struct {
	Name        string
	Waiting     int64
	Deferred    int64
	Oldest      time.Time // acceptance of the oldest that waits; zero if none does
	Blocked     time.Time // left alone until then; zero if it is not
	Reply       string    // why
	Connections int       // open now, on all nodes
	Limit       int       // that there may be
	Host        string    // that had the last word
	Words       string
	Said        time.Time // zero: nothing was said lately
}
