package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"muster/bench/capacity"
)

// What keeps the nodes busy for a whole window: posts to so many lists at once, of so many members
// each over a hundred domains.
const (
	flowLists   = 10
	flowMembers = 20_000
	flowDomains = 100
)

// flowName is a list that flows are measured with.
func flowName(n int) string { return fmt.Sprintf("flow%d", n) }

const makeFlowLists = `
WITH made AS (
    INSERT INTO list (domain, local, post_policy, verp)
    SELECT d.id, 'flow' || n, 'anyone', 1 FROM domain d, generate_series(0, $1 - 1) n WHERE d.name = 'lists.example'
    RETURNING id)
INSERT INTO member (list, key, address, domain)
SELECT made.id, a.address, a.address, a.domain
FROM made, LATERAL (
    SELECT 'user' || n || '@' || d AS address, d AS domain
    FROM (SELECT n, 'd' || lpad((n % 100)::text, 2, '0') || '.example' AS d FROM generate_series(0, $2 - 1) n) numbered
    ORDER BY 1) a`

func (s *store) makeFlowLists(ctx context.Context, members int) error {
	_, err := s.pool.Exec(ctx, makeFlowLists, flowLists, members)
	return err
}

// measureProcesses has one, two and four nodes send to four destinations, each node bringing its own
// connections: that is how one scales out where the receivers allow it.
func (s *scaling) measureProcesses(ctx context.Context, m *capacity.Measured) error {
	const destinations = 4
	for _, delay := range []struct {
		of          time.Duration
		connections int // of each node to each destination
	}{{0, 5}, {20 * time.Millisecond, 10}, {100 * time.Millisecond, 20}} {
		for _, n := range []int{1, 2, 4} {
			f, err := s.flow(ctx, flowShape{n, destinations, delay.connections * n, delay.of})
			if err != nil {
				return err
			}
			m.Processes = append(m.Processes, f)
		}
	}
	// And with the connections of all together left as they were: what the receivers do not allow.
	for _, n := range []int{1, 2, 4} {
		f, err := s.flow(ctx, flowShape{n, destinations, 20, 100 * time.Millisecond})
		if err != nil {
			return err
		}
		m.Shared = append(m.Shared, f)
	}
	return nil
}

// measureConnections gives one node more and more connections to one destination.
func (s *scaling) measureConnections(ctx context.Context, m *capacity.Measured) error {
	for _, n := range []int{5, 10, 20, 40, 80, 160} {
		f, err := s.flow(ctx, flowShape{1, 1, n, 20 * time.Millisecond})
		if err != nil {
			return err
		}
		m.Connections = append(m.Connections, f)
	}
	return nil
}

// flowShape is who sends, where to, over how many connections to each.
type flowShape struct {
	processes, destinations, connections int
	delay                                time.Duration
}

// flow posts to all the lists at once and looks at a while in which there is always more to send.
func (s *scaling) flow(ctx context.Context, shape flowShape) (capacity.Flow, error) {
	far, err := startDistantCounter(shape.delay, "127.0.0.1")
	if err != nil {
		return capacity.Flow{}, err
	}
	defer far.close()
	file, err := s.writeRelays(far.addr(), shape.destinations)
	if err != nil {
		return capacity.Flow{}, err
	}
	if err := s.startNodes(ctx, shape.processes, "smtp,fanout", "--config", file, "--connections", strconv.Itoa(shape.connections)); err != nil {
		return capacity.Flow{}, err
	}
	f, err := s.watchFlow(ctx, far)
	if err != nil {
		return f, fmt.Errorf("%+v: %w", shape, err)
	}
	f.Processes, f.Destinations, f.Connections = shape.processes, shape.destinations, shape.connections
	f.Delay = milliseconds(shape.delay)
	s.say("%d processes, %d destinations with %d connections, %v away: %.0f copies/s, %.0f%% idle",
		shape.processes, shape.destinations, shape.connections, shape.delay, f.PerSecond, 100*f.Idle)
	return f, s.stopAndClear(ctx)
}

// writeRelays makes a file of settings with so many destinations: relays for a share of the domains
// each. It is one receiver that stands behind all of them.
func (s *scaling) writeRelays(addr string, destinations int) (string, error) {
	var text strings.Builder
	for n := range destinations {
		var domains []string
		for d := n; d < flowDomains; d += destinations {
			domains = append(domains, fmt.Sprintf("%q", fmt.Sprintf("d%02d.example", d)))
		}
		fmt.Fprintf(&text, "[[relay]]\nurl = %q\nfor_recipient_domain = [%s]\n\n", "smtp://"+addr, strings.Join(domains, ", "))
	}
	path := filepath.Join(s.work, fmt.Sprintf("relays-%d.toml", destinations))
	return path, os.WriteFile(path, []byte(text.String()), 0o644)
}

// watchFlow begins when all is planned and the connections have had time to open.
func (s *scaling) watchFlow(ctx context.Context, far *counter) (f capacity.Flow, err error) {
	if err := s.store.checkpoint(ctx); err != nil {
		return f, err
	}
	body := bodyText()
	for n := range flowLists {
		p, err := s.newPoster(ctx, listAddress(flowName(n)), body)
		if err != nil {
			return f, err
		}
		if err := p.post(1); err != nil {
			return f, err
		}
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return f, err
	}
	for planned := false; !planned; {
		if planned, err = s.store.allPlanned(ctx); err != nil {
			return f, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return f, err
		}
	}
	before, err := s.effort(ctx)
	if err != nil {
		return f, err
	}
	taken := far.taken.Load()
	if err := pause(ctx, s.window); err != nil {
		return f, err
	}
	copies := float64(far.taken.Load() - taken)
	after, err := s.effort(ctx)
	if err != nil {
		return f, err
	}
	if left := int64(flowLists*s.flowMembers) - far.taken.Load(); copies == 0 || left < int64(flowLists*s.flowMembers)/20 {
		return f, fmt.Errorf("%.0f copies were sent, %d were left: no time in which there was always more", copies, left)
	}
	f.PerSecond = round(copies / after.at.Sub(before.at).Seconds())
	f.Cost, f.Idle = after.cost(before, copies), round(after.idleShare(before))
	return f, nil
}

// checkpoint begins a new time in which each page's first change is logged whole: all start alike.
func (s *store) checkpoint(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `CHECKPOINT`)
	return err
}

func (s *store) allPlanned(ctx context.Context) (all bool, err error) {
	err = s.pool.QueryRow(ctx, `
SELECT NOT EXISTS (SELECT FROM fanout WHERE planned IS NULL) AND NOT EXISTS (SELECT FROM post WHERE state = 'accepted' AND planned IS NULL)`).Scan(&all)
	return all, err
}
