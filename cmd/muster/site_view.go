package main

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"muster/admin"
	"muster/fanout"
)

// siteView is the fan-out as the site asks for it.
type siteView struct{ engine *fanout.Engine }

// Progress is admin.Progress. Copies that nobody wants any more are not spoken of.
func (v siteView) Progress(ctx context.Context, post uuid.UUID) (admin.Fanout, error) {
	p, err := v.engine.Progress(ctx, post)
	if err != nil {
		return admin.Fanout{}, err
	}
	f := admin.Fanout{
		Planned: p.Planned, Copies: p.Copies - p.Dropped, Delivered: p.Delivered, Deferred: p.Deferred,
		Bounced: p.Bounced, More: p.More, Waiting: p.Waiting, Cancelled: p.GivenUp,
	}
	if f.Paused, f.Held, err = v.engine.HoldsPost(ctx, post); err != nil {
		return admin.Fanout{}, err
	}
	if f.Paused {
		if f.Stopped, err = v.engine.IsStopped(ctx, post); err != nil {
			return admin.Fanout{}, err
		}
	}
	for _, r := range p.Replies {
		f.Replies = append(f.Replies, admin.Answer{Host: r.Host, Reply: r.Text, Copies: r.Copies, Last: r.Last})
	}
	for _, r := range p.Reports {
		f.Reports = append(f.Reports, admin.Reported{Kind: r.Kind, Copies: r.Copies, More: r.More})
	}
	return f, nil
}

// Queue is admin.Queue.
func (v siteView) Queue(ctx context.Context) (admin.Backlog, error) {
	s, err := v.engine.Status(ctx)
	if err != nil {
		return admin.Backlog{}, err
	}
	b := admin.Backlog{
		Unplanned: s.Unplanned, Waiting: s.Waiting, Deferred: s.Deferred, Held: s.Held, Most: v.engine.MaxBacklog(), More: s.More, Oldest: s.Oldest,
	}
	b.Throttle = admin.Throttle{
		Rate: s.Throttle.Rate.String(), Window: spanText(s.Throttle.Window), Used: s.Throttle.Used, HeldBack: heldBack(s.Throttle),
	}
	for _, n := range s.Nodes {
		b.Nodes = append(b.Nodes, admin.Node{Name: n.Host, Since: n.Since, Seen: n.Seen, Alive: n.Alive, Stopped: n.Stopped})
	}
	for _, d := range s.Destinations {
		b.Destinations = append(b.Destinations, admin.Destination{
			Name: d.Name, Waiting: d.Waiting, Deferred: d.Deferred, Oldest: d.Oldest, Blocked: d.Blocked, Reply: d.Reply,
			Connections: d.Connections, Limit: d.Limit, Host: d.Host, Words: d.Words, Said: d.Said,
		})
	}
	for _, h := range s.Holds {
		b.Holds = append(b.Holds, admin.Hold{List: h.Address, Destination: h.What.Destination, Post: subject(h), At: h.At, By: h.By})
	}
	return b, nil
}

// subject names a post for people, be it without one.
func subject(h fanout.Hold) string {
	if h.What.Post != uuid.Nil && h.Subject == "" {
		return h.What.Post.String()
	}
	return h.Subject
}

// Pause is admin.Control, as the rest is. What is so already is no fault.
func (v siteView) Pause(ctx context.Context, post uuid.UUID, by string) error {
	_, err := v.engine.Hold(ctx, fanout.Selection{Post: post}, by)
	return err
}

func (v siteView) Resume(ctx context.Context, post uuid.UUID, by string) error {
	return v.release(ctx, fanout.Selection{Post: post}, by)
}

func (v siteView) Cancel(ctx context.Context, post uuid.UUID, by string) error {
	_, err := v.engine.Drop(ctx, fanout.Selection{Post: post}, by)
	return err
}

func (v siteView) HoldAll(ctx context.Context, by string) error {
	_, err := v.engine.Hold(ctx, fanout.Selection{}, by)
	return err
}

func (v siteView) ReleaseAll(ctx context.Context, by string) error {
	return v.release(ctx, fanout.Selection{}, by)
}

func (v siteView) AllHeld(ctx context.Context) (bool, error) { return v.engine.HoldsAll(ctx) }

func (v siteView) Full() bool { return v.engine.Full() }

func (v siteView) release(ctx context.Context, s fanout.Selection, by string) error {
	err := v.engine.Release(ctx, s, by)
	if errors.Is(err, fanout.ErrNotHeld) {
		return nil
	}
	return err
}
