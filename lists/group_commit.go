package lists

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxWriters is how many batches are written at a time, and crowd how many messages wait for
	// each before there is one more: few large batches cost the database much less than many small
	// ones do, but nobody is to wait long behind one that meets a lock.
	maxWriters = 4
	crowd      = 10
	// maxBatchPosts and maxBatchOctets bound a batch. A post larger than that is a batch of its own.
	maxBatchPosts  = 64
	maxBatchOctets = 1 << 20
	// batchPatience is for one batch, whoever waits for it: the caller who writes it may be gone.
	batchPatience = time.Minute
)

// groupCommit writes the posts of sessions that come at the same time in one statement and one
// commit. Nobody waits for company: who comes while nobody writes, writes at once; who comes later
// waits for the batch under way and is in the next, which one of those who wait writes. The zero value
// with a pool is ready for use.
type groupCommit struct {
	pool *pgxpool.Pool

	mu      sync.Mutex
	waiting []*pending
	writers int
}

// pending is what one message is to be stored as: all of its rows or none.
type pending struct {
	rows   []postRow
	stored []storedPost
	err    error
	done   chan struct{} // closed when stored or err is there
	turn   chan struct{} // closed when it is to write
}

// insert stores rows and answers for each, after their commit. With an error nothing is known of
// them.
func (g *groupCommit) insert(ctx context.Context, rows []postRow) ([]storedPost, error) {
	p := &pending{rows: rows, done: make(chan struct{}), turn: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, p)
	if len(g.waiting) > crowd*g.writers && g.writers < maxWriters {
		g.writers++
		close(p.turn)
	}
	g.mu.Unlock()
	select {
	case <-p.done:
	case <-p.turn:
		g.lead(ctx, p)
	case <-ctx.Done():
		if g.withdraw(p) {
			return nil, ctx.Err()
		}
		select { // somebody writes it, or it has the turn
		case <-p.done:
		case <-p.turn:
			g.lead(ctx, p)
		}
	}
	return p.stored, p.err
}

// withdraw takes out what nobody has begun with.
func (g *groupCommit) withdraw(p *pending) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i < 0 || isClosed(p.turn) {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lead writes a batch that p is in, unless another writer has taken it along, and passes the turn on.
func (g *groupCommit) lead(ctx context.Context, p *pending) {
	defer g.pass()
	batch := g.take(p)
	if len(batch) == 0 {
		<-p.done
		return
	}
	defer func() {
		for _, other := range batch {
			close(other.done)
		}
	}()
	// The others are not to lose their posts because this one's client is gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchPatience)
	defer cancel()
	g.write(ctx, batch)
}

// take takes a batch out of what waits, p first. No two of it have the same Message-ID in a list:
// one statement cannot tell one from the other, so the second waits for the next batch.
func (g *groupCommit) take(p *pending) []*pending {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i < 0 {
		return nil
	}
	b := newPostBatch()
	b.add(p)
	left := g.waiting[:0]
	for _, other := range g.waiting {
		if other != p && (isClosed(other.turn) || !b.add(other)) {
			left = append(left, other)
		}
	}
	clear(g.waiting[len(left):])
	g.waiting = left
	return b.all
}

// pass gives the turn to who has waited longest, or ends it.
func (g *groupCommit) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, next := range g.waiting {
		if !isClosed(next.turn) {
			close(next.turn)
			return
		}
	}
	g.writers--
}

// write stores a batch. Where the database refuses something in it, each message is tried by
// itself, so that none suffers for another.
func (g *groupCommit) write(ctx context.Context, batch []*pending) {
	var rows []postRow
	for _, p := range batch {
		rows = append(rows, p.rows...)
	}
	stored, err := g.try(ctx, rows)
	if err != nil && len(batch) > 1 && sqlState(err) != "" {
		for _, p := range batch {
			p.stored, p.err = g.try(ctx, p.rows)
		}
		return
	}
	for _, p := range batch {
		if p.err = err; err == nil {
			p.stored, stored = stored[:len(p.rows):len(p.rows)], stored[len(p.rows):]
		}
	}
}

func (g *groupCommit) try(ctx context.Context, rows []postRow) (stored []storedPost, err error) {
	for range maxTries {
		if stored, err = insertPosts(ctx, g.pool, rows); !lostRace(err) {
			break
		}
	}
	return stored, err
}

// postBatch is messages that can be stored by one statement.
type postBatch struct {
	all    []*pending
	known  map[messageKey]struct{}
	rows   int
	octets int
}

// messageKey is by what a message is known again in a list.
type messageKey struct {
	list int64
	hash string
}

func newPostBatch() *postBatch { return &postBatch{known: map[messageKey]struct{}{}} }

// add takes a message in, if it fits. The first always does.
func (b *postBatch) add(p *pending) bool {
	octets := 0
	for i := range p.rows {
		octets += len(p.rows[i].Raw)
	}
	if len(b.all) > 0 && (b.rows+len(p.rows) > maxBatchPosts || b.octets+octets > maxBatchOctets || b.knows(p.rows)) {
		return false
	}
	for i := range p.rows {
		if key, ok := p.rows[i].key(); ok {
			b.known[key] = struct{}{}
		}
	}
	b.all = append(b.all, p)
	b.rows += len(p.rows)
	b.octets += octets
	return true
}

func (b *postBatch) knows(rows []postRow) bool {
	for i := range rows {
		if key, ok := rows[i].key(); ok {
			if _, known := b.known[key]; known {
				return true
			}
		}
	}
	return false
}

func (r *postRow) key() (messageKey, bool) {
	return messageKey{r.List, string(r.IDHash)}, r.IDHash != nil
}
