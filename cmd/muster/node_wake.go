package main

import (
	"context"
	"time"

	"muster/cmd/muster/config"
	"muster/fanout"
)

// wakeGap is the least time between two calls of the other nodes.
const wakeGap = 200 * time.Millisecond

// wake is what the lists call when they have committed mail: the fan-out here, or where this node
// has none, those of other nodes.
func (n *node) wake(engine *fanout.Engine) func() {
	if n.cfg.Has(config.RoleFanout) {
		return engine.Wake
	}
	rung := make(chan struct{}, 1)
	n.back = append(n.back, watcher("the call of other nodes", func(ctx context.Context) { n.callOthers(ctx, rung) }))
	return func() {
		select {
		case rung <- struct{}{}:
		default: // they are about to be called
		}
	}
}

// callOthers tells nodes with a fan-out that there is something to send. One that fails to is no
// loss: they look for themselves, too, only not at once.
func (n *node) callOthers(ctx context.Context, rung <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-rung:
		}
		if err := fanout.Notify(ctx, n.db.Pool); err != nil {
			n.log.Debug("other nodes not called", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wakeGap):
		}
	}
}
