package lists

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// counting is a batcher of numbers that keeps its batches.
type counting struct {
	batcher[int]
	batches [][]int // of one that runs at a time
}

func newCounting(most int) *counting {
	c := &counting{}
	c.open = func() func(int) bool {
		n := 0
		return func(int) bool { n++; return n <= most }
	}
	c.do = func(_ context.Context, batch []int) {
		c.batches = append(c.batches, slices.Sorted(slices.Values(batch)))
	}
	return c
}

// awaitWaiting returns when so many jobs wait.
func (b *batcher[J]) awaitWaiting(n int) {
	for {
		b.mu.Lock()
		there := len(b.waiting)
		b.mu.Unlock()
		if there == n {
			return
		}
		runtime.Gosched()
	}
}

// crowded runs jobs 1 to n that all wait for one batch, which ends when they do.
func (c *counting) crowded(t *testing.T, n int) {
	t.Helper()
	c.running = 1 // somebody is at it
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := c.run(t.Context(), i+1); err != nil {
				t.Error(err)
			}
		})
	}
	c.awaitWaiting(n)
	c.pass()
	all.Wait()
}

func TestBatcherTakesAllThatWait(t *testing.T) {
	t.Parallel()
	c := newCounting(64)
	c.crowded(t, 5)
	if len(c.batches) != 1 || !slices.Equal(c.batches[0], []int{1, 2, 3, 4, 5}) || c.running != 0 {
		t.Errorf("%v; %d running", c.batches, c.running)
	}
}

func TestBatcherLeavesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	c := newCounting(2)
	c.crowded(t, 5)
	if got := slices.Sorted(slices.Values(slices.Concat(c.batches...))); len(c.batches) != 3 || !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Errorf("%v", c.batches)
	}
}

func TestBatcherLetsGo(t *testing.T) {
	t.Parallel()
	c := newCounting(64)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	c.running = 1
	if err := c.run(gone, 1); !errors.Is(err, context.Canceled) || len(c.waiting) != 0 {
		t.Errorf("%v; %d wait", err, len(c.waiting))
	}
	c.running = 0
	// Who has the turn may carry others, so it goes on even though its client is gone.
	if err := c.run(gone, 2); err != nil || len(c.batches) != 1 {
		t.Errorf("%v, %v", c.batches, err)
	}
}

// Who waits for a batch that fails in the worst way is told so, and the next batch is done.
func TestBatcherOutlivesAPanic(t *testing.T) {
	t.Parallel()
	c := newCounting(64)
	work := c.do
	c.do = func(ctx context.Context, batch []int) {
		if slices.Contains(batch, 13) {
			panic("13")
		}
		work(ctx, batch)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nobody hears of it")
			}
		}()
		_ = c.run(t.Context(), 13)
	}()
	if err := c.run(t.Context(), 1); err != nil || len(c.batches) != 1 || c.running != 0 {
		t.Errorf("%v, %v; %d running", c.batches, err, c.running)
	}
}
