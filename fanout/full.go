package fanout

import (
	"context"
	"time"
)

// fullEvery is how often it is asked how much waits. What one question costs does not grow with the
// answer.
const fullEvery = 5 * time.Second

// WatchBacklog keeps Full true to what waits, until ctx ends.
func (e *Engine) WatchBacklog(ctx context.Context) {
	if e.cfg.MaxBacklog <= 0 {
		return
	}
	tick := time.NewTicker(fullEvery)
	defer tick.Stop()
	for {
		if err := e.refreshBacklog(ctx); err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "not known how much mail waits, posts are taken in as before", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) refreshBacklog(ctx context.Context) error {
	waiting, err := estimateWaiting(ctx, e.pool, estimateRows)
	if err != nil {
		return err
	}
	full := waiting > e.cfg.MaxBacklog
	switch before := e.full.Swap(full); {
	case full && !before:
		e.log.ErrorContext(ctx, "too much mail waits: new posts are put off until less does", "copies", waiting, "max_backlog", e.cfg.MaxBacklog)
	case before && !full:
		e.log.InfoContext(ctx, "posts are taken in again", "copies", waiting)
	}
	return nil
}

// MaxBacklog is how many copies may wait, 0 for any number.
func (e *Engine) MaxBacklog() int64 { return max(e.cfg.MaxBacklog, 0) }

// CheckFull is Full as it is now.
func (e *Engine) CheckFull(ctx context.Context) (bool, error) {
	if e.cfg.MaxBacklog <= 0 {
		return false, nil
	}
	err := e.refreshBacklog(ctx)
	return e.Full(), err
}

// Full says whether more copies wait than may, as it was a few seconds ago. It asks nobody.
func (e *Engine) Full() bool { return e.full.Load() }
