package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// workers are the running parts behind.
type workers struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu  sync.Mutex
	err error
}

// startWorkers runs each worker until stop. One that ends before, with an error or without, fails
// the node. They outlive ctx: the parts in front stop first.
func startWorkers(ctx context.Context, all []worker, fail context.CancelCauseFunc) *workers {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ws := &workers{cancel: cancel, done: make(chan struct{})}
	var running sync.WaitGroup
	for _, w := range all {
		running.Go(func() {
			err := w.run(ctx)
			if ctx.Err() == nil {
				fail(fmt.Errorf("%s ended: %w", w.name, errors.Join(err, errEnded)))
				return
			}
			ws.add(w.name, err)
		})
	}
	go func() {
		running.Wait()
		close(ws.done)
	}()
	return ws
}

// errEnded says that a part ended which should have gone on.
var errEnded = errors.New("it should not end by itself")

func (ws *workers) add(name string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.err = errors.Join(ws.err, fmt.Errorf("%s: %w", name, err))
}

// stop lets the workers finish, as long as ctx allows.
func (ws *workers) stop(ctx context.Context) error {
	ws.cancel()
	select {
	case <-ws.done:
	case <-ctx.Done():
		return errSlowStop
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.err
}

// servers are the running parts in front.
type servers struct {
	all     []server
	running sync.WaitGroup
}

// startServers serves. A server that fails fails the node.
func startServers(all []server, fail context.CancelCauseFunc) *servers {
	s := &servers{all: all}
	for _, one := range all {
		s.running.Go(func() {
			if err := one.Serve(); err != nil {
				fail(err)
			}
		})
	}
	return s
}

// stop shuts all servers down at the same time. Those that are not done when ctx ends close their
// connections.
func (s *servers) stop(ctx context.Context) error {
	var stopping sync.WaitGroup
	late := make([]error, len(s.all))
	for i, one := range s.all {
		stopping.Go(func() { late[i] = one.Shutdown(ctx) })
	}
	stopping.Wait()
	s.running.Wait()
	err := errors.Join(late...)
	if errors.Is(err, context.DeadlineExceeded) {
		return errCutOff
	}
	return err
}

// errCutOff is what servers stop with that had to end connections with something in flight.
var errCutOff = errors.New("clients that were not done are cut off")
