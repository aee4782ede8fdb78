package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkersFinishWhatTheyDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var finished atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		ws := startWorkers(ctx, []worker{{"slow", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(5 * time.Second)
			finished.Store(true)
			return ctx.Err()
		}}}, func(err error) { t.Errorf("failed: %v", err) })
		cancel() // the node stops: what is behind goes on until it is told
		synctest.Wait()
		if err := ws.stop(t.Context()); err != nil || !finished.Load() {
			t.Errorf("stop: %v, finished %v", err, finished.Load())
		}
	})
}

func TestSlowWorkerIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ws := startWorkers(t.Context(), []worker{{"stuck", func(context.Context) error {
			<-release
			return nil
		}}}, func(error) {})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := ws.stop(ctx); !errors.Is(err, errSlowStop) {
			t.Errorf("stop: %v", err)
		}
		close(release)
	})
}

func TestWorkerThatEndsFailsTheNode(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		err  error
	}{{"with an error", broken}, {"without", nil}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			failed := make(chan error, 1)
			ws := startWorkers(t.Context(), []worker{{"the clock", func(context.Context) error { return tt.err }}},
				func(err error) { failed <- err })
			if err := <-failed; !errors.Is(err, errEnded) || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), "the clock") {
				t.Errorf("failed with %v", err)
			}
			if err := ws.stop(t.Context()); err != nil {
				t.Errorf("the failure is reported twice: %v", err)
			}
		})
	}
}

func TestWorkerThatFailsWhileStopping(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	ws := startWorkers(t.Context(), []worker{{"the fan-out", func(ctx context.Context) error {
		<-ctx.Done()
		return broken
	}}}, func(err error) { t.Errorf("failed: %v", err) })
	if err := ws.stop(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "the fan-out") {
		t.Errorf("stop: %v", err)
	}
}

// fakeServer serves until it is shut down, which takes it as long as told.
type fakeServer struct {
	takes time.Duration
	done  chan struct{}
	fails error
}

func (s *fakeServer) Serve() error {
	if s.fails != nil {
		return s.fails
	}
	<-s.done
	return nil
}

func (s *fakeServer) Shutdown(ctx context.Context) error {
	defer close(s.done)
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestServersStopTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startServers([]server{
			&fakeServer{takes: 3 * time.Second, done: make(chan struct{})},
			&fakeServer{takes: 4 * time.Second, done: make(chan struct{})},
		}, func(err error) { t.Errorf("failed: %v", err) })
		began := time.Now()
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("stopped in %v, want as long as the slowest", took)
		}
	})
}

func TestSlowServerIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startServers([]server{&fakeServer{takes: time.Hour, done: make(chan struct{})}}, func(error) {})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.stop(ctx); !errors.Is(err, errCutOff) {
			t.Errorf("stop: %v", err)
		}
	})
}

func TestServerThatFailsFailsTheNode(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	s := startServers([]server{&fakeServer{done: make(chan struct{}), fails: errors.New("no more files")}}, func(err error) { failed <- err })
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "no more files") {
		t.Errorf("failed with %v", err)
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
}
