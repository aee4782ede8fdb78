package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"muster/bench/capacity"
)

// nodeConnections are those of a node to the database: four nodes and the bench keep below the
// hundred that the private PostgreSQL has.
const nodeConnections = 12

// scaling measures what grows with what, for docs/scaling.md. Where bench holds figures against a
// yardstick, this one looks at how they change.
type scaling struct {
	*bench
	nodes      []*muster // that run
	postmaster int
}

// measureScaling takes all of it. The signed copies come last: a key stays.
func (b *bench) measureScaling(ctx context.Context) (*capacity.Measured, error) {
	s := &scaling{bench: b}
	defer s.stopNodes()
	if err := s.countStatements(ctx); err != nil {
		return nil, err
	}
	m := &capacity.Measured{
		Date: time.Now().Format("2 January 2006"), Processors: runtime.NumCPU(), PostgreSQL: b.store.major,
	}
	for _, part := range []struct {
		name string
		take func(context.Context, *capacity.Measured) error
	}{
		{"lists", s.importLists}, {"idle", s.measureIdle}, {"processes", s.measureProcesses},
		{"connections", s.measureConnections}, {"accepting", s.measureAccepting},
		{"copies", s.measureLists}, {"deferred", s.measureDeferred}, {"pruned", s.measurePruned}, {"signed", s.measureSigned},
	} {
		if part.name != "lists" && !b.only.MatchString(part.name) {
			continue
		}
		start := time.Now()
		if err := part.take(ctx, m); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		b.say("%s: %v", part.name, time.Since(start).Round(time.Second))
	}
	return m, nil
}

// startNodes starts so many processes on the one database, and returns when each knows of the others.
func (s *scaling) startNodes(ctx context.Context, n int, roles string, settings ...string) error {
	for i := range n {
		dir := filepath.Join(s.work, fmt.Sprintf("node%d", i+1))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		m := &muster{binary: s.binary, dir: dir, database: s.store.server.URL,
			settings: append(settings, "--tls-out", "none", "--database-connections", strconv.Itoa(nodeConnections))}
		if err := m.serve(ctx, roles); err != nil {
			return err
		}
		s.nodes = append(s.nodes, m)
	}
	s.bench.muster = s.nodes[0] // takes the posts
	if n == 1 {
		return nil
	}
	return pause(ctx, 2*beat)
}

// beat is how often a node looks for the others.
const beat = 2 * time.Second

func (s *scaling) stopNodes() {
	for _, m := range s.nodes {
		m.stop()
	}
	s.nodes = nil
}

// stopAndClear ends the nodes and forgets what they have not sent.
func (s *scaling) stopAndClear(ctx context.Context) error {
	s.stopNodes()
	return s.store.clearQueue(ctx)
}

const clearQueue = `
TRUNCATE fanout, fanout_share, shard, shard_members, delivery, report, journal;
UPDATE post SET planned = now() WHERE planned IS NULL`

func (s *store) clearQueue(ctx context.Context) error {
	for statement := range strings.SplitSeq(clearQueue, ";") {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("emptying the queue: %w", err)
		}
	}
	return nil
}

// measureIdle looks at a node with nothing to do, for a while.
func (s *scaling) measureIdle(ctx context.Context, m *capacity.Measured) error {
	const while = 5 * time.Second
	if err := s.store.checkpoint(ctx); err != nil { // what was imported is written by then
		return err
	}
	if err := s.startNodes(ctx, 1, "smtp,fanout,clock,admin"); err != nil {
		return err
	}
	defer s.stopNodes()
	if err := pause(ctx, beat); err != nil { // what it does when it starts is another matter
		return err
	}
	before, err := s.effort(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, while); err != nil {
		return err
	}
	after, err := s.effort(ctx)
	m.Idle = after.cost(before, after.at.Sub(before.at).Seconds())
	return err
}

// measureAccepting has more and more clients post to a list without members. Only the role smtp runs.
func (s *scaling) measureAccepting(ctx context.Context, m *capacity.Measured) error {
	if err := s.startNodes(ctx, 1, "smtp"); err != nil {
		return err
	}
	for _, clients := range []int{1, 5, 20, 80} {
		a, err := s.acceptFor(ctx, clients)
		if err != nil {
			return fmt.Errorf("%d clients: %w", clients, err)
		}
		s.say("accepted with %d clients: %.0f posts/s", clients, a.PerSecond)
		m.Accepting = append(m.Accepting, a)
	}
	return s.stopAndClear(ctx)
}

// acceptFor posts for a while.
func (s *scaling) acceptFor(ctx context.Context, clients int) (capacity.Accepted, error) {
	const each = 25 // posts of one connection
	body, posted := bodyText(), make(chan int, clients)
	before, err := s.effort(ctx)
	if err != nil {
		return capacity.Accepted{}, err
	}
	end := before.at.Add(s.window)
	failed := make(chan error, clients)
	for range clients {
		go func() {
			n := 0
			for time.Now().Before(end) {
				p, err := s.newPoster(ctx, listAddress("accept"), body)
				if err == nil {
					err = p.post(each)
				}
				if err != nil {
					failed <- err
					break
				}
				n += each
			}
			posted <- n
		}()
	}
	all := 0
	for range clients {
		all += <-posted
	}
	select {
	case err := <-failed:
		return capacity.Accepted{}, err
	default:
	}
	after, err := s.effort(ctx)
	if err != nil || all == 0 {
		return capacity.Accepted{}, errors.Join(err, errNothing(all))
	}
	took := after.at.Sub(before.at).Seconds()
	return capacity.Accepted{Clients: clients, PerSecond: round(float64(all) / took), Cost: after.cost(before, float64(all))}, nil
}

// errNothing is a measurement in which nothing was.
func errNothing(n int) error {
	if n == 0 {
		return errors.New("nothing happened in the time there was")
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
