package main

import (
	"context"
	"fmt"
	"time"
)

// How far away the distant receiver is, and how many members its list has: enough for seconds.
const (
	distance       = 20 * time.Millisecond
	distantMembers = 4_000
)

// measureDistant posts to a list whose copies all go to one receiver, each reply of which takes its
// time, against bare senders over as many connections, which have one round trip for a transaction too
// and keep nothing.
func (b *bench) measureDistant(ctx context.Context) ([]row, error) {
	far, err := startDistantCounter(distance, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	defer far.close()
	distant := *b
	distant.members = min(b.members, distantMembers)
	file, err := distant.writeMembers(distant.members)
	if err != nil {
		return nil, err
	}
	if _, _, err := distant.importList(ctx, "distant", file); err != nil {
		return nil, err
	}
	if err := b.muster.run(ctx, "list", "set", listAddress("distant"), "verp=true"); err != nil {
		return nil, err
	}
	defer b.sendTo(far)()
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	r, err := distant.compare(ctx, comparison{
		name: fmt.Sprintf("fan-out to %d members, 1 a transaction, a receiver %v away, copies/s", distant.members, distance),
		aim:  aimDistant,
		ours: func(ctx context.Context) (float64, error) { return distant.fanOut(ctx, "distant") },
		theirs: func(ctx context.Context) (float64, error) {
			each := distant.members / connections
			took, err := postAll(ctx, far.addr(), each, bodyText())
			return float64(each*connections) / took.Seconds(), err
		},
	})
	return []row{r}, err
}
