package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/fanout"
)

// queueView is what --json prints of the queue.
type queueView struct {
	Unplanned    int64             `json:"unplanned"`
	Waiting      int64             `json:"waiting"`
	Deferred     int64             `json:"deferred"`
	Held         int64             `json:"held"` // of those not tried yet
	Aside        int64             `json:"aside"`
	More         bool              `json:"more"` // the counts are the least there is
	Oldest       *time.Time        `json:"oldest"`
	Nodes        []nodeView        `json:"nodes"`
	Destinations []destinationView `json:"destinations"`
	Holds        []holdView        `json:"holds"`
	Throttle     *throttleView     `json:"throttle"` // null where nothing limits what goes out
	Full         bool              `json:"full"`     // more waits than max_backlog, new posts are put off
}

type throttleView struct {
	Rate        string `json:"rate,omitempty"`
	WindowLimit string `json:"window_limit,omitempty"`
	Used        int64  `json:"used"` // of the window
	// HeldBack is which of them copies wait for: rate, window_limit, or neither.
	HeldBack string `json:"held_back,omitempty"`
}

type nodeView struct {
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Seen    time.Time `json:"seen"`
	Alive   bool      `json:"alive"`
	Stopped bool      `json:"stopped"` // as it was told to; else what is not alive is dead
}

type destinationView struct {
	Name     string     `json:"name"`
	Waiting  int64      `json:"waiting"`
	Deferred int64      `json:"deferred"`
	Blocked  *time.Time `json:"blocked"`
	Reply    string     `json:"reply,omitempty"`
	Oldest   *time.Time `json:"oldest"`
	// What the nodes tell of it just now.
	Connections int        `json:"connections"`
	Limit       int        `json:"limit"`
	LastHost    string     `json:"last_host,omitempty"`
	LastReply   string     `json:"last_reply,omitempty"`
	LastAt      *time.Time `json:"last_at"`
}

func (a *app) queueCommand() *cobra.Command {
	return group("queue", "Mail that waits to go out",
		&cobra.Command{
			Use:   "status",
			Short: "Show what waits to go out, where to, and which nodes send",
			Args:  arguments(0, 0),
			RunE:  a.with(queueStatus),
		},
		a.queueShowCommand(),
		a.queueRetryCommand(),
		a.queueHoldCommand(),
		a.queueReleaseCommand(),
		a.queueDropCommand(),
	)
}

func queueStatus(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
	engine := s.engine()
	status, err := engine.Status(ctx)
	if err != nil {
		return err
	}
	v := viewQueue(status)
	if v.Full, err = engine.CheckFull(ctx); err != nil {
		return err
	}
	if s.json {
		return newEncoder(s.stdout).Encode(v)
	}
	return s.printQueue(v, status.Holds)
}

func viewQueue(s fanout.Status) queueView {
	v := queueView{
		Unplanned: s.Unplanned, Waiting: s.Waiting, Held: s.Held, Deferred: s.Deferred, Aside: s.Aside, More: s.More, Oldest: moment(s.Oldest),
		Nodes: []nodeView{}, Destinations: []destinationView{}, Holds: []holdView{},
	}
	if t := s.Throttle; t.Rate.N > 0 || t.Window.N > 0 {
		v.Throttle = &throttleView{Rate: t.Rate.String(), WindowLimit: spanText(t.Window), Used: t.Used, HeldBack: heldBack(t)}
	}
	for _, n := range s.Nodes {
		v.Nodes = append(v.Nodes, nodeView{n.Host, n.Since, n.Seen, n.Alive, n.Stopped})
	}
	for _, d := range s.Destinations {
		v.Destinations = append(v.Destinations, destinationView{
			Name: d.Name, Waiting: d.Waiting, Deferred: d.Deferred, Blocked: moment(d.Blocked), Reply: d.Reply, Oldest: moment(d.Oldest),
			Connections: d.Connections, Limit: d.Limit, LastHost: d.Host, LastReply: d.Words, LastAt: moment(d.Said),
		})
	}
	for _, h := range s.Holds {
		v.Holds = append(v.Holds, viewHold(h))
	}
	return v
}

// spanText is a window as the setting has it.
func spanText(r fanout.Rate) string {
	if r.N == 0 {
		return ""
	}
	if hours := r.Per.Hours(); hours == float64(int(hours)) {
		return fmt.Sprintf("%d/%dh", r.N, int(hours))
	}
	return fmt.Sprintf("%d/%s", r.N, r.Per)
}

// heldBack is which limit copies wait for, "" for none.
func heldBack(t fanout.Throttle) string {
	switch {
	case t.Closed:
		return "window_limit"
	case t.Waiting:
		return "rate"
	}
	return ""
}

func (v *throttleView) text() string {
	text := ""
	if v.Rate != "" {
		text = "rate " + v.Rate
	}
	if v.WindowLimit != "" {
		text = strings.TrimPrefix(fmt.Sprintf("%s, window_limit %s: %d used", text, v.WindowLimit, v.Used), ", ")
	}
	if v.HeldBack != "" {
		text += "; copies wait for the " + v.HeldBack
	}
	return text
}

// moment is nil for never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *services) printQueue(v queueView, holds []fanout.Hold) error {
	s.say("%s, %s not tried yet, %s to be tried again",
		plural(int(v.Unplanned), "message not begun", "messages not begun"),
		plural(int(v.Waiting), "copy", "copies"), plural(int(v.Deferred), "copy", "copies"))
	if v.More {
		s.say("that is what the first %d entries of the queue hold, and there is more", fanout.MaxCounted)
	}
	if v.Full {
		s.say("more copies wait than max_backlog (%d): new posts are answered 451 until fewer do", s.cfg.MaxBacklog)
	}
	if v.Throttle != nil {
		s.say("%s", v.Throttle.text())
	}
	if v.Oldest != nil && v.Unplanned+v.Waiting+v.Deferred > 0 {
		s.say("the oldest was accepted %s", v.Oldest.Local().Format(time.DateTime))
	}
	if v.Aside > 0 {
		s.say("%s set aside: see the log of muster serve", plural(int(v.Aside), "fan-out was", "fan-outs were"))
	}
	if v.Held > 0 {
		s.say("of those not tried yet %s held", plural(int(v.Held), "copy is", "copies are"))
	}
	p := s.printer()
	for _, h := range holds {
		p.row(nil, "held: "+partText(h), "since "+h.At.Local().Format(time.DateTime), "by "+h.By)
	}
	for _, n := range v.Nodes {
		p.row(nil, "node "+n.Host, "since "+n.Since.Local().Format(time.DateTime), n.text())
	}
	for _, d := range v.Destinations {
		p.row(nil, "to "+d.Name, strconv.FormatInt(d.Waiting, 10)+" waiting", strconv.FormatInt(d.Deferred, 10)+" deferred"+connectionsText(d)+blockedText(d))
	}
	return p.flush()
}

func (n nodeView) text() string {
	switch {
	case n.Alive:
		return "alive"
	case n.Stopped:
		return "stopped"
	}
	return "dead"
}

func connectionsText(d destinationView) string {
	if d.Limit == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of %s", d.Connections, plural(d.Limit, "connection", "connections"))
}

func blockedText(d destinationView) string {
	if d.Blocked == nil {
		return ""
	}
	return fmt.Sprintf(", left alone until %s: %s", d.Blocked.Local().Format(time.TimeOnly), d.Reply)
}
