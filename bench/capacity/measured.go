package capacity

import (
	"encoding/json"
	"fmt"
	"os"
)

// Measured is bench/scaling.json: what one run on one machine has shown.
type Measured struct {
	Date       string `json:"date"`
	Processors int    `json:"processors"`
	PostgreSQL int    `json:"postgresql"` // major version
	// Processes are nodes on one database, each sending to receivers some way away.
	Processes []Flow `json:"processes"`
	// Shared are the same with as many connections in all, however many nodes share them.
	Shared []Flow `json:"processes_sharing"`
	// Connections are one node and one destination.
	Connections []Flow `json:"connections"`
	// Lists are posts to lists of growing size, to a receiver that answers at once.
	Lists []Run `json:"lists"`
	// Signed are the same with an RSA-2048 key.
	Signed []Run `json:"signed"`
	// Deferred is what a copy that was answered 4xx at first costs more than one that was not.
	Deferred Cost `json:"deferred"`
	// Pruned is what it costs to forget a copy.
	Pruned Cost `json:"pruned"`
	// Accepting is what taking posts costs, a post, by the number of clients.
	Accepting []Accepted `json:"accepting"`
	// MemberOctets are those of a member on disk, indexes and all.
	MemberOctets float64 `json:"member_octets"`
	// Idle is a second of a node that has nothing to do.
	Idle Cost `json:"idle"`
}

// Cost is what one thing costs: a copy, a post, or a second.
type Cost struct {
	Muster     float64 `json:"muster_us"`   // processor time, microseconds
	PostgreSQL float64 `json:"postgres_us"` // the same, of all its processes
	WAL        float64 `json:"wal_octets"`
	Pages      float64 `json:"wal_pages"` // whole pages among it, as after a checkpoint
	Statements float64 `json:"statements"`
	Disk       float64 `json:"disk_octets"` // by which the database has grown
}

// Plus is both together.
func (c Cost) Plus(d Cost) Cost {
	return Cost{c.Muster + d.Muster, c.PostgreSQL + d.PostgreSQL, c.WAL + d.WAL, c.Pages + d.Pages,
		c.Statements + d.Statements, c.Disk + d.Disk}
}

// Less is what c costs more than d. What one would save is noise of the two and counts as nothing.
func (c Cost) Less(d Cost) Cost {
	return Cost{max(c.Muster-d.Muster, 0), max(c.PostgreSQL-d.PostgreSQL, 0), max(c.WAL-d.WAL, 0),
		max(c.Pages-d.Pages, 0), max(c.Statements-d.Statements, 0), max(c.Disk-d.Disk, 0)}
}

// Dearest is the dearer of two in each respect.
func (c Cost) Dearest(d Cost) Cost {
	return Cost{max(c.Muster, d.Muster), max(c.PostgreSQL, d.PostgreSQL), max(c.WAL, d.WAL),
		max(c.Pages, d.Pages), max(c.Statements, d.Statements), max(c.Disk, d.Disk)}
}

// Times is the cost of n things.
func (c Cost) Times(n float64) Cost {
	return Cost{c.Muster * n, c.PostgreSQL * n, c.WAL * n, c.Pages * n, c.Statements * n, c.Disk * n}
}

// Flow is a while in which there was always more to send, of copies with a transaction each.
type Flow struct {
	Processes    int     `json:"processes"`
	Destinations int     `json:"destinations"`
	Connections  int     `json:"connections"` // to each destination, of all processes together
	Delay        float64 `json:"delay_ms"`    // of each reply
	PerSecond    float64 `json:"copies_per_second"`
	Cost         Cost    `json:"cost"`            // of a copy
	Idle         float64 `json:"processors_idle"` // share of the machine's
}

// Ceiling is what the connections can carry with one round trip a copy; 0 where nothing is far away.
func (f Flow) Ceiling() float64 {
	if f.Delay == 0 {
		return 0
	}
	return float64(f.Destinations*f.Connections) / f.Delay * 1000
}

// Run is some posts to one list, one after the end of the other.
type Run struct {
	Members        int     `json:"members"`
	PerTransaction int     `json:"recipients_per_transaction"`
	Copies         int     `json:"copies"`
	PerSecond      float64 `json:"copies_per_second"`
	Cost           Cost    `json:"cost"` // of a copy; the posts' acceptance is in it
	Peak           float64 `json:"peak_mb"`
}

// Run is the one with a list of so many members and so many recipients a transaction.
func (m *Measured) Run(members, each int) (Run, error) {
	for _, r := range m.Lists {
		if r.Members == members && r.PerTransaction == each {
			return r, nil
		}
	}
	return Run{}, fmt.Errorf("no run with %d members, %d recipients a transaction", members, each)
}

// Accepted is posts taken from so many clients at once, with nothing sent meanwhile.
type Accepted struct {
	Clients   int     `json:"clients"`
	PerSecond float64 `json:"posts_per_second"`
	Cost      Cost    `json:"cost"` // of a post
}

// Read reads what was measured.
func Read(path string) (*Measured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(Measured)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Write keeps it.
func (m *Measured) Write(path string) error {
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
