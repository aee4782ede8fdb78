package fanout

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errDead says that another node has taken our place.
var errDead = errors.New("this node was thought dead, others have its shards")

// lease is a node's right to send final dots. It lies ahead while the last beat that succeeded is
// young, counted from before it was sent.
type lease struct {
	length time.Duration
	start  time.Time    // monotonic
	beaten atomic.Int64 // nanoseconds after start, before the last good beat was sent
	dead   chan struct{}

	mu    sync.Mutex
	moved chan struct{} // closed and replaced by each good beat
}

func newLease(length time.Duration) *lease {
	return &lease{length: length, start: time.Now(), dead: make(chan struct{}), moved: make(chan struct{})}
}

// ahead says whether a dot may be sent now.
func (l *lease) ahead() bool {
	select {
	case <-l.dead:
		return false
	default:
		return time.Since(l.start)-time.Duration(l.beaten.Load()) < l.length
	}
}

// wait returns when the lease lies ahead, or with why it never will again.
func (l *lease) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		moved := l.moved
		l.mu.Unlock()
		if l.ahead() {
			return nil
		}
		select {
		case <-l.dead:
			return errDead
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-moved:
		}
	}
}

// renew notes a beat that was sent at that time and has succeeded.
func (l *lease) renew(sent time.Time) {
	l.beaten.Store(int64(sent.Sub(l.start)))
	l.mu.Lock()
	close(l.moved)
	l.moved = make(chan struct{})
	l.mu.Unlock()
}

// beat keeps a node's row alive, watches the rows of others, and buries those that stand still.
type beat struct {
	session *session
	node    int64
	every   time.Duration
	watch   watch
	lease   *lease
	log     *slog.Logger
	buried  func()        // told when a node was found dead
	living  *atomic.Int64 // nodes alive, ourselves with them
}

func newBeat(pool *pgxpool.Pool, node int64, p pace) *beat {
	return &beat{
		session: newSession(pool), node: node, every: p.beat,
		watch: watch{every: p.beat, patience: p.dead, seen: map[int64]*sight{}},
		lease: newLease(p.lease),
	}
}

// run beats until ctx ends or the row is found dead, which closes lease.dead.
func (b *beat) run(ctx context.Context) {
	defer b.session.close()
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for {
		if err := b.once(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, errDead) {
				close(b.lease.dead)
				return
			}
			b.log.Warn("beat", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// once beats and looks at the others. It may not hang: a beat that takes longer than the lease is
// none.
func (b *beat) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.lease.length)
	defer cancel()
	conn, err := b.session.open(ctx)
	if err != nil {
		return err
	}
	sent := time.Now()
	alive, err := beatNode(ctx, conn, b.node)
	if err != nil {
		return err
	}
	if !alive {
		return errDead
	}
	b.lease.renew(sent)
	rows, err := selectBeats(ctx, conn)
	if err != nil {
		return err
	}
	b.living.Store(int64(len(rows)))
	for _, dead := range b.watch.read(time.Now(), b.node, rows) {
		if err := b.bury(ctx, conn, dead); err != nil {
			return err
		}
	}
	return nil
}

func (b *beat) bury(ctx context.Context, q querier, r beatRow) error {
	buried, err := buryNode(ctx, q, r.ID, r.Beat)
	if err != nil || !buried {
		return err
	}
	b.log.Warn("node is dead, its shards are free", "node", r.ID)
	b.buried()
	return nil
}

// watch tells which nodes are dead from their beats as read, by the reader's monotonic clock. A
// gap between reads, from a database that was away or a reader that was stopped, does not count:
// nobody could beat, or be seen to.
type watch struct {
	every    time.Duration
	patience time.Duration
	last     time.Time
	seen     map[int64]*sight
}

// sight is what was seen of one node since its beat last moved.
type sight struct {
	beat  int64
	reads int
	stood time.Duration
}

// leastReads is how often a beat must have been read without moving.
const leastReads = 4

// read takes a successful reading and returns the rows whose nodes are dead.
func (w *watch) read(now time.Time, self int64, rows []beatRow) []beatRow {
	gap := now.Sub(w.last)
	if w.last.IsZero() || gap > 2*w.every {
		gap = 0
	}
	w.last = now
	var dead []beatRow
	present := make(map[int64]*sight, len(rows))
	for _, r := range rows {
		s := w.seen[r.ID]
		if s == nil || s.beat != r.Beat {
			s = &sight{beat: r.Beat}
		} else {
			s.reads++
			s.stood += gap
		}
		present[r.ID] = s
		if r.ID != self && s.reads >= leastReads && s.stood >= w.patience {
			dead = append(dead, r)
		}
	}
	w.seen = present
	return dead
}
