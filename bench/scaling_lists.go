package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"muster/bench/capacity"
	"muster/fanout"
)

// runCopies is how many copies a run has at least, where its list is short: enough for a processor
// clock that ticks a hundred times a second.
const runCopies = 20_000

func sizeName(members int) string { return fmt.Sprintf("size%d", members) }

// sizes are those of the lists, up to what the command line calls a million.
func (s *scaling) sizes() []int {
	var all []int
	for n := 1000; n < s.million; n *= 10 {
		all = append(all, n)
	}
	return append(all, s.million)
}

// importLists makes the lists that the rest is measured with.
func (s *scaling) importLists(ctx context.Context, m *capacity.Measured) error {
	for _, n := range s.sizes() {
		file, err := s.writeMembers(n)
		if err != nil {
			return err
		}
		before, err := s.store.memberOctets(ctx)
		if err != nil {
			return err
		}
		if _, _, err := s.importList(ctx, sizeName(n), file); err != nil {
			return err
		}
		after, err := s.store.memberOctets(ctx)
		if err != nil {
			return err
		}
		m.MemberOctets = round(float64(after-before) / float64(n)) // of the largest, in the end
	}
	for _, args := range [][]string{
		{"list", "create", listAddress("accept"), "--name", "accept", "--owner", author},
		{"list", "set", listAddress("accept"), "post_policy=anyone"},
	} {
		if err := s.bench.muster.run(ctx, args...); err != nil {
			return err
		}
	}
	if err := s.store.makeFlowLists(ctx, s.flowMembers); err != nil {
		return err
	}
	return s.store.settle(ctx)
}

func (s *store) memberOctets(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT pg_total_relation_size('member')`).Scan(&n)
	return n, err
}

// measureLists posts to lists of each size in both shapes, to a receiver that answers at once.
func (s *scaling) measureLists(ctx context.Context, m *capacity.Measured) (err error) {
	for _, each := range []int{100, 1} {
		for _, n := range s.sizes() {
			r, err := s.run(ctx, n, each, runCopies)
			if err != nil {
				return fmt.Errorf("%d members, %d a transaction: %w", n, each, err)
			}
			m.Lists = append(m.Lists, r)
			if err := s.store.clearQueue(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureSigned does the same with a key, for lists that are not large: a signature costs more than
// all the rest.
func (s *scaling) measureSigned(ctx context.Context, m *capacity.Measured) error {
	for _, args := range [][]string{
		{"domain", "dkim", "create", "lists.example", "--selector", "bench"},
		{"domain", "dkim", "activate", "lists.example", "bench"},
	} {
		if err := s.command(ctx, args...); err != nil {
			return err
		}
	}
	for _, each := range []int{100, 1} {
		r, err := s.run(ctx, signedMembers, each, signedMembers)
		if err != nil {
			return err
		}
		m.Signed = append(m.Signed, r)
		if err := s.store.clearQueue(ctx); err != nil {
			return err
		}
	}
	return nil
}

// command runs one beside the nodes.
func (s *scaling) command(ctx context.Context, args ...string) error {
	m := &muster{binary: s.binary, dir: s.work}
	return m.run(ctx, args...)
}

// run posts to a list until there were so many copies.
func (s *scaling) run(ctx context.Context, members, each, copies int) (r capacity.Run, err error) {
	far, err := s.beginRun(ctx, members, each)
	if err != nil {
		return r, err
	}
	defer far.close()
	defer s.stopNodes()
	before, err := s.effort(ctx)
	if err != nil {
		return r, err
	}
	var took time.Duration
	for r.Copies = 0; r.Copies < copies; {
		taken, t, err := s.postTo(ctx, far, members)
		if err != nil {
			return r, err
		}
		r.Copies, took = r.Copies+taken, took+t
		if taken < members {
			break
		}
	}
	if r.Copies%members == 0 {
		if err := s.store.awaitFinished(ctx); err != nil {
			return r, err
		}
	}
	after, err := s.effort(ctx)
	if err != nil {
		return r, err
	}
	r.Members, r.PerTransaction = members, each
	r.PerSecond, r.Cost = round(float64(r.Copies)/took.Seconds()), after.cost(before, float64(r.Copies))
	if r.Peak, err = peakMB(s.nodes[0].pid()); err != nil {
		return r, err
	}
	s.say("%d members, %d a transaction: %.0f copies/s, %.0f us of Muster and %.0f us of PostgreSQL a copy",
		members, each, r.PerSecond, r.Cost.Muster, r.Cost.PostgreSQL)
	return r, nil
}

// measurePruned has Muster forget a post, as it does after two weeks, and takes what that costs.
func (s *scaling) measurePruned(ctx context.Context, m *capacity.Measured) error {
	if _, err := s.run(ctx, prunedMembers, 1, runCopies); err != nil {
		return err
	}
	if err := s.store.checkpoint(ctx); err != nil {
		return err
	}
	before, err := s.effort(ctx)
	if err != nil {
		return err
	}
	engine := fanout.New(s.store.pool, fanout.Config{})
	shards := int64(0)
	for n := int64(1); n > 0; shards += n {
		if n, err = engine.Prune(ctx, time.Now().Add(time.Minute)); err != nil {
			return err
		}
	}
	after, err := s.effort(ctx)
	if err != nil || shards == 0 {
		return errors.Join(err, errNothing(int(shards)))
	}
	m.Pruned = after.cost(before, runCopies)
	m.Pruned.Disk = 0 // it is free for what comes next
	return s.store.clearQueue(ctx)
}

// signedMembers are those of the list whose copies are signed.
const signedMembers = 10_000

// prunedMembers are those of the list whose posts are forgotten.
const prunedMembers = 10_000

// beginRun has one node send a list's copies in one shape.
func (s *scaling) beginRun(ctx context.Context, members, each int) (*counter, error) {
	if err := s.command(ctx, "list", "set", listAddress(sizeName(members)), "verp="+strconv.FormatBool(each == 1)); err != nil {
		return nil, err
	}
	if err := s.store.settle(ctx); err != nil {
		return nil, err
	}
	if err := s.store.checkpoint(ctx); err != nil {
		return nil, err
	}
	far, err := startCounter("127.0.0.1")
	if err != nil {
		return nil, err
	}
	if err := s.startNodes(ctx, 1, "smtp,fanout", "--relay", "smtp://"+far.addr()); err != nil {
		far.close()
		return nil, err
	}
	return far, nil
}

// postTo posts once and returns when every answer is committed, or the time is up.
func (s *scaling) postTo(ctx context.Context, far *counter, members int) (taken int, took time.Duration, err error) {
	id, err := s.store.listID(ctx, sizeName(members))
	if err != nil {
		return 0, 0, err
	}
	before, err := s.store.youngest(ctx)
	if err != nil {
		return 0, 0, err
	}
	far.expect(members)
	p, err := s.newPoster(ctx, listAddress(sizeName(members)), bodyText())
	if err != nil {
		return 0, 0, err
	}
	if err := p.post(1); err != nil {
		return 0, 0, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if _, err = far.await(bounded, 2*s.patience); err == nil { // bounded is what ends it
		_, err = s.awaitFanout(bounded, id, before)
	}
	took = time.Since(p.accepted)
	if errors.Is(bounded.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		s.say("%d of %d copies in %v: the rest is left", far.taken.Load(), members, s.patience)
		err = nil
	}
	return int(far.taken.Load()), took, err
}

// measureDeferred has one copy in five put off once, and takes what that costs beside.
func (s *scaling) measureDeferred(ctx context.Context, m *capacity.Measured) error {
	const members, every = 10_000, 5
	usual, err := m.Run(members, 1)
	if err != nil {
		return err
	}
	far, err := s.beginRun(ctx, members, 1)
	if err != nil {
		return err
	}
	defer far.close()
	defer s.stopNodes()
	far.defers.Store(every)
	far.expect(members)
	before, err := s.effort(ctx)
	if err != nil {
		return err
	}
	p, err := s.newPoster(ctx, listAddress(sizeName(members)), bodyText())
	if err != nil {
		return err
	}
	if err := p.post(1); err != nil {
		return err
	}
	deadline := time.Now().Add(peerPatience)
	for n := 0; n < members/every; {
		if n, err = s.store.deferred(ctx); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d copies were put off", n, members/every)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	far.defers.Store(0)
	if err := s.command(ctx, "queue", "retry", "--all"); err != nil {
		return err
	}
	if _, err := far.await(ctx, peerPatience); err != nil {
		return err
	}
	if err := s.store.awaitFinished(ctx); err != nil {
		return err
	}
	after, err := s.effort(ctx)
	if err != nil {
		return err
	}
	m.Deferred = after.cost(before, members/every).Less(usual.Cost.Times(every))
	return s.stopAndClear(ctx)
}

func (s *store) deferred(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM delivery WHERE state = 'deferred' AND shard IS NULL`).Scan(&n)
	return n, err
}

// awaitFinished waits until the counts of every fan-out are final.
func (s *store) awaitFinished(ctx context.Context) error {
	for {
		var left bool
		if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM fanout WHERE finished IS NULL)`).Scan(&left); err != nil || !left {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}
