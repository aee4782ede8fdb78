package lists

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

const (
	// maxBatches is how many batches are done at a time, and crowd how many jobs wait for each before
	// there is one more: few large batches cost the database much less than many small ones do, but
	// nobody is to wait long behind one that meets a lock.
	maxBatches = 4
	crowd      = 10
)

// batcher does together what sessions ask for at the same time. Nobody waits for company: who comes
// while nothing is done, begins at once; who comes later waits for the batch under way and is in the
// next, which one of those who wait does.
type batcher[J any] struct {
	// open begins a batch, and returns what says whether one more job fits in. The first has to.
	open func() (fits func(J) bool)
	// do does a batch. What became of each job it leaves in the job, which it finds as one that
	// failed. The context is of one job, without its end: the others are not to lose theirs because
	// its client is gone.
	do func(ctx context.Context, batch []J)

	mu      sync.Mutex
	waiting []*waiter[J]
	running int
}

// waiter is a job and who waits for it.
type waiter[J any] struct {
	job  J
	done chan struct{} // closed when it was done
	turn chan struct{} // closed when it is to lead a batch
}

// run has a job done. With an error, that of ctx, nobody has begun with it.
func (b *batcher[J]) run(ctx context.Context, job J) error {
	w := &waiter[J]{job: job, done: make(chan struct{}), turn: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	if len(b.waiting) > crowd*b.running && b.running < maxBatches {
		b.running++
		close(w.turn)
	}
	b.mu.Unlock()
	select {
	case <-w.done:
	case <-w.turn:
		b.lead(ctx, w)
	case <-ctx.Done():
		if b.withdraw(w) {
			return ctx.Err()
		}
		select { // somebody does it, or it has the turn
		case <-w.done:
		case <-w.turn:
			b.lead(ctx, w)
		}
	}
	return nil
}

// withdraw takes out what nobody has begun with.
func (b *batcher[J]) withdraw(w *waiter[J]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 || w.leads() {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return true
}

// leads says whether the turn was given to it.
func (w *waiter[J]) leads() bool {
	select {
	case <-w.turn:
		return true
	default:
		return false
	}
}

// lead does a batch that w is in, and passes the turn on.
func (b *batcher[J]) lead(ctx context.Context, w *waiter[J]) {
	defer b.pass()
	// Who can run runs first: sessions that are about to come make this batch larger at the cost of
	// nothing, as nobody waits where nobody can run.
	runtime.Gosched()
	batch := b.take(w)
	jobs := make([]J, len(batch))
	for i, other := range batch {
		jobs[i] = other.job
	}
	defer func() {
		for _, other := range batch {
			close(other.done)
		}
	}()
	b.do(context.WithoutCancel(ctx), jobs)
}

// take takes a batch out of what waits, w first. Who has a turn of their own is left to it.
func (b *batcher[J]) take(w *waiter[J]) []*waiter[J] {
	b.mu.Lock()
	defer b.mu.Unlock()
	fits := b.open()
	fits(w.job)
	batch := []*waiter[J]{w}
	left := b.waiting[:0]
	for _, other := range b.waiting {
		switch {
		case other == w:
		case !other.leads() && fits(other.job):
			batch = append(batch, other)
		default:
			left = append(left, other)
		}
	}
	clear(b.waiting[len(left):])
	b.waiting = left
	return batch
}

// pass gives the turn to who has waited longest, or ends it.
func (b *batcher[J]) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, next := range b.waiting {
		if !next.leads() {
			close(next.turn)
			return
		}
	}
	b.running--
}
