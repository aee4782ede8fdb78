package main

import (
	"context"

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
		Bounced: p.Bounced, More: p.More, Waiting: p.Waiting,
	}
	for _, r := range p.Replies {
		f.Replies = append(f.Replies, admin.Answer{Host: r.Host, Reply: r.Text, Copies: r.Copies, Last: r.Last})
	}
	return f, nil
}

// Queue is admin.Queue.
func (v siteView) Queue(ctx context.Context) (admin.Backlog, error) {
	s, err := v.engine.Status(ctx)
	if err != nil {
		return admin.Backlog{}, err
	}
	b := admin.Backlog{Unplanned: s.Unplanned, Waiting: s.Waiting, Deferred: s.Deferred, More: s.More, Oldest: s.Oldest}
	for _, n := range s.Nodes {
		b.Nodes = append(b.Nodes, admin.Node{Name: n.Host, Since: n.Since, Seen: n.Seen, Alive: n.Alive})
	}
	for _, d := range s.Destinations {
		b.Destinations = append(b.Destinations, admin.Destination{Name: d.Name, Waiting: d.Waiting, Deferred: d.Deferred})
	}
	return b, nil
}
