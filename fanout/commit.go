package fanout

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// The ways an outcome is not saved.
var (
	errLost    = errors.New("the shard is no longer ours")
	errAside   = errors.New("the outcome cannot be stored, the shard was set aside")
	errStopped = errors.New("the committer has ended")
)

// outcome is what became of a shard up to done. Its counts are absolute, so that saving it twice
// is saving it once. It belongs to the committer from save until its result has been received.
type outcome struct {
	shard      int64
	epoch      int32
	done       int32
	sent       int32
	dropped    int32
	state      string
	exceptions []exception // of members since the last outcome
	journal    []byte
	result     chan error // capacity 1: nil, errLost, errAside or errStopped

	counted struct{ sent, dropped int32 } // of its counts, what copyCounts has
}

// copyCounts is what became of copies on this node, each counted when that is saved.
type copyCounts struct{ delivered, deferred, bounced, dropped atomic.Int64 }

func (c *copyCounts) add(o *outcome) {
	c.delivered.Add(int64(o.sent - o.counted.sent))
	c.dropped.Add(int64(o.dropped - o.counted.dropped))
	o.counted.sent, o.counted.dropped = o.sent, o.dropped
	for i := range o.exceptions {
		switch o.exceptions[i].state {
		case copyDeferred:
			c.deferred.Add(1)
		case copyFailed:
			c.bounced.Add(1)
		}
	}
}

// maxCommit bounds the outcomes of one statement.
const maxCommit = 512

// committer saves the outcomes of all connections of a node: all that wait, in one statement, again
// and again. What cannot be saved now is kept and saved again; a connection that waits for it does
// not send its next dot.
type committer struct {
	session *session
	node    int64
	log     *slog.Logger
	copies  *copyCounts
	in      chan *outcome
	ended   chan struct{}

	batch []*outcome
	rows  outcomeRows
}

func newCommitter(pool *pgxpool.Pool, node int64, log *slog.Logger, copies *copyCounts) *committer {
	s := newSession(pool)
	// The same statement thousands of times, always for a few rows by their keys: it is planned
	// once, and statistics of a small table must not talk the planner into reading all of it.
	s.config.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	for _, other := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		s.config.RuntimeParams[other] = "off"
	}
	return &committer{
		session: s, node: node, log: log, copies: copies,
		in: make(chan *outcome, maxCommit), ended: make(chan struct{}),
	}
}

// save hands an outcome over; its result comes on its channel.
func (c *committer) save(o *outcome) {
	select {
	case c.in <- o:
	case <-c.ended:
		o.result <- errStopped
	}
}

// run saves until ctx ends; what then still waits is told errStopped.
func (c *committer) run(ctx context.Context) {
	defer c.session.close()
	defer c.drain()
	for c.gather(ctx) {
		c.commit(ctx)
	}
}

// gather waits for an outcome and takes all that are there.
func (c *committer) gather(ctx context.Context) bool {
	c.batch = c.batch[:0]
	select {
	case <-ctx.Done():
		return false
	case o := <-c.in:
		c.batch = append(c.batch, o)
	}
	// Who can run runs first: workers that are about to hand over an outcome make this batch
	// larger at the cost of nothing, as nobody is waiting where nobody can run.
	runtime.Gosched()
	for len(c.batch) < maxCommit {
		select {
		case o := <-c.in:
			c.batch = append(c.batch, o)
		default:
			return true
		}
	}
	return true
}

func (c *committer) drain() {
	close(c.ended)
	for {
		select {
		case o := <-c.in:
			o.result <- errStopped
		default:
			return
		}
	}
}

const (
	firstCommitWait = 20 * time.Millisecond
	lastCommitWait  = time.Second
)

// commit saves the batch, however often it must try.
func (c *committer) commit(ctx context.Context) {
	for wait := firstCommitWait; ; wait = min(2*wait, lastCommitWait) {
		err := c.try(ctx, c.batch)
		switch {
		case err == nil:
			return
		case isRefused(err):
			c.oneByOne(ctx)
			return
		case lostRace(err):
			continue
		}
		if !c.pause(ctx, wait, err) {
			answer(c.batch, errStopped)
			return
		}
	}
}

func (c *committer) pause(ctx context.Context, wait time.Duration, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	c.log.Warn("outcomes not saved, trying again", "outcomes", len(c.batch), "error", err)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// try saves outcomes in one statement and, if that went well, answers them. They are in the order of
// their shards, in which everybody locks these.
func (c *committer) try(ctx context.Context, batch []*outcome) error {
	conn, err := c.session.open(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(batch, func(a, b *outcome) int { return cmp.Compare(a.shard, b.shard) })
	c.rows.reset()
	for _, o := range batch {
		c.rows.add(o)
	}
	ours, err := saveOutcomes(ctx, conn, c.node, &c.rows)
	if err != nil {
		return err
	}
	all := len(ours) == len(batch)
	for _, o := range batch {
		if all || slices.Contains(ours, o.shard) {
			c.copies.add(o)
			o.result <- nil
		} else {
			o.result <- errLost
		}
	}
	return nil
}

func answer(batch []*outcome, result error) {
	for _, o := range batch {
		o.result <- result
	}
}

// oneByOne saves the outcomes of a batch that the database refused, and sets the faulty one aside.
func (c *committer) oneByOne(ctx context.Context) {
	for i, o := range c.batch {
		for wait := firstCommitWait; ; wait = min(2*wait, lastCommitWait) {
			err := c.try(ctx, c.batch[i:i+1])
			if isRefused(err) {
				err = c.setAside(ctx, o, err)
			}
			if err == nil {
				break
			}
			if !c.pause(ctx, wait, err) {
				answer(c.batch[i:], errStopped)
				return
			}
		}
	}
}

func (c *committer) setAside(ctx context.Context, o *outcome, reason error) error {
	c.log.Error("outcome refused by the database, its shard is set aside", "shard", o.shard, "error", reason)
	conn, err := c.session.open(ctx)
	if err != nil {
		return err
	}
	if err := setAsideShard(ctx, conn, c.node, o); err != nil {
		return err
	}
	o.result <- errAside
	return nil
}
