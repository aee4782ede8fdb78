package privatepg

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// stop ends the server: at once for its clients, with a checkpoint for itself. When ctx ends
// before that is done, without the checkpoint; the next start will read the journal instead.
func (c *cluster) stop(ctx context.Context, started *child) error {
	p, err := readPidfile(c.pidfile())
	if err != nil {
		return err
	}
	if started != nil { // it may not have come to writing the file
		p = started.postmaster
	}
	if p.alive() {
		if err := c.signal(ctx, p, syscall.SIGINT); err != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
			defer cancel()
			if err := c.signal(last, p, syscall.SIGQUIT); err != nil {
				return fmt.Errorf("PostgreSQL in %s (process %d) does not stop: %w", c.data, p.pid, err)
			}
		}
	}
	if started != nil {
		<-started.done
	}
	return removeShort(p.socket)
}

// signal sends a signal and waits for the end of the server.
func (c *cluster) signal(ctx context.Context, p postmaster, s syscall.Signal) error {
	if err := syscall.Kill(p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for p.alive() {
		if !sleep(ctx, tick) {
			return ctx.Err()
		}
	}
	return nil
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
