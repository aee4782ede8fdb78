package fanout

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/smtp"
)

// How lanes are told of, to people: each node writes down the lanes it uses, any node puts together
// what all of them have written.

const (
	// maxTold bounds the lanes that a node tells of, those with most connections first.
	maxTold = 50
	// toldAge is how long a lane without work is told of.
	toldAge = 5 * time.Minute
	// tellEvery is how often a node writes them down, where they have changed.
	tellEvery = 5 * time.Second
	// maxWords bounds what is told of a server's last words.
	maxWords = 200
)

// laneState is what a node tells of a lane.
type laneState struct {
	Name        string
	Group       string
	Dests       []int64 `json:",omitempty"` // rows whose shards go through
	Connections int
	Limit       int // connections there may be now, of this node
	Failures    int
	Until       time.Time // left alone until then
	Host        string    // that had the last word
	Words       string
	Said        time.Time
}

// lastWord is what a destination said last.
type lastWord struct {
	host  string
	reply *smtp.Reply
	text  string // where no server said anything
	at    time.Time
}

func (w lastWord) String() string {
	if w.reply != nil {
		return w.reply.Error()
	}
	return w.text
}

// heard notes the last word of a server.
func (l *lane) heard(host string, reply *smtp.Reply) {
	l.mu.Lock()
	l.last = lastWord{host: host, reply: reply, at: time.Now()}
	l.mu.Unlock()
	l.traffic.tally.count(l.group(), reply)
}

// heard notes the last word of a batch's server, if it was the server that said it.
func (b *batch) heard(host string, said refusal) {
	if !b.local {
		b.lane.heard(host, said.reply)
	}
}

// group is what a lane is counted under: never a name from outside.
func (l *lane) group() string {
	if l.relays != nil {
		return l.relays.name
	}
	return l.rule.String()
}

// OtherGroup is what destinations are counted under that no setting names.
const OtherGroup = "other"

// String is the patterns of a rule.
func (r *Rule) String() string {
	if r == nil {
		return OtherGroup
	}
	return strings.Join(r.Match, ",")
}

// states are the lanes to tell of.
func (t *traffic) states() []laneState {
	t.mu.Lock()
	lanes := make([]*lane, 0, len(t.lanes))
	for _, l := range t.lanes {
		lanes = append(lanes, l)
	}
	t.mu.Unlock()
	var told []laneState
	for _, l := range lanes {
		if s, ok := l.state(); ok {
			told = append(told, s)
		}
	}
	slices.SortFunc(told, func(a, b laneState) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), b.Until.Compare(a.Until), cmp.Compare(a.Name, b.Name))
	})
	return told[:min(len(told), maxTold)]
}

// state is what there is to tell of a lane, if anything is.
func (l *lane) state() (laneState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mixed || l.open == 0 && l.claimed == 0 && !l.blockedLocked() && time.Since(l.last.at) > toldAge {
		return laneState{}, false
	}
	s := laneState{
		Name: l.name, Group: l.group(), Connections: l.open, Limit: l.limit(), Failures: l.failures,
		Host: l.last.host, Said: l.last.at,
	}
	if l.blockedLocked() {
		s.Until = l.until
	}
	if !l.last.at.IsZero() {
		s.Words = clean(l.last.String())
		s.Words = strings.ToValidUTF8(s.Words[:min(len(s.Words), maxWords)], "")
	}
	for id := range l.dests {
		if len(s.Dests) < maxTold {
			s.Dests = append(s.Dests, id)
		}
	}
	slices.Sort(s.Dests)
	return s, true
}

// tell writes the lanes down whenever they have changed, until soft ends.
func (t *traffic) tell() {
	tick := time.NewTicker(t.pace.tell)
	defer tick.Stop()
	var last []byte
	var told Throttle
	for {
		select {
		case <-t.soft.Done():
			return
		case <-tick.C:
		}
		now, err := json.Marshal(t.states())
		if err == nil && !bytes.Equal(now, last) {
			err = saveLanes(t.soft, t.pool, t.node, now)
		}
		if err == nil {
			told, err = t.tellThrottle(told)
		}
		switch {
		case err == nil:
			last = now
		case t.soft.Err() == nil:
			t.log.Warn("state of the destinations not told", "error", err)
		}
	}
}

// ReplyCounts are the answers to transactions by the class of their code, 2, 4 or 5.
type ReplyCounts map[int]int64

// tally counts what destinations answered, by group.
type tally struct {
	mu     sync.Mutex
	counts map[string]*[6]atomic.Int64
}

func (t *tally) count(group string, reply *smtp.Reply) {
	if t == nil || reply == nil {
		return
	}
	t.mu.Lock()
	c := t.counts[group]
	if c == nil {
		if t.counts == nil {
			t.counts = map[string]*[6]atomic.Int64{}
		}
		c = &[6]atomic.Int64{}
		t.counts[group] = c
	}
	t.mu.Unlock()
	if class := reply.Code / 100; class > 0 && class < len(c) {
		c[class].Add(1)
	}
}

// Replies tells what this node's destinations have answered to transactions since it started, by
// group: the relays', the patterns of a rule, or OtherGroup.
func (e *Engine) Replies() map[string]ReplyCounts {
	e.tally.mu.Lock()
	defer e.tally.mu.Unlock()
	all := map[string]ReplyCounts{}
	for group, c := range e.tally.counts {
		all[group] = ReplyCounts{2: c[2].Load(), 4: c[4].Load(), 5: c[5].Load()}
	}
	return all
}

// withLanes adds to destinations what living nodes tell of the lanes that lead there, and those that
// no row of the queue stands for.
func (e *Engine) withLanes(ctx context.Context, found []Destination) ([]Destination, error) {
	lanes, err := selectLanes(ctx, e.pool)
	if err != nil {
		return nil, err
	}
	byName := map[string]*Destination{}
	leads := map[int64]*Destination{}
	var order []*Destination
	for _, s := range lanes {
		d := byName[s.Name]
		if d == nil {
			d = &Destination{Name: s.Name, Lane: s.Name, Group: s.Group}
			byName[s.Name] = d
			order = append(order, d)
		}
		d.Connections += s.Connections
		d.Limit += s.Limit
		if s.Until.After(d.Blocked) {
			d.Blocked, d.Reply = s.Until, s.Words
		}
		if s.Said.After(d.Said) {
			d.Said, d.Host, d.Words = s.Said, s.Host, s.Words
		}
		for _, id := range s.Dests {
			if was := leads[id]; was == nil || !was.Said.After(d.Said) { // its domain has moved there
				leads[id] = d
			}
		}
	}
	shown := map[string]bool{}
	rules, groups := rules(e.cfg.Rules), newRelayGroups(e.cfg.Relays)
	for i := range found {
		to := &found[i]
		if d := leads[to.ID]; d != nil {
			to.Lane, to.Group = d.Lane, d.Group
			to.Connections, to.Limit, to.Host, to.Words, to.Said = d.Connections, d.Limit, d.Host, d.Words, d.Said
			shown[d.Name] = true
			continue
		}
		if g := groups.named(to.Name); g != nil {
			to.Group = g.name
		} else if domain, ok := strings.CutPrefix(to.Name, destDomain("")); ok {
			r, _ := rules.of(domain, nil)
			to.Group = r.String()
		} else {
			to.Group = OtherGroup
		}
	}
	for _, d := range order {
		if !shown[d.Name] && len(found) < maxDestinations {
			found = append(found, *d)
		}
	}
	return found, nil
}
