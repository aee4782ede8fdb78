package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// What the first copy of a post is waited for with: posts one after the other to a list of so many.
const (
	firstPosts   = 50
	firstMembers = 1_000
	firstLimit   = 50 * time.Millisecond
)

// measureFirst posts to an idle system and takes the time from the 250 until the first copy has
// arrived. Of fifty the slowest is what counts: two in a hundred may be slower still.
func (b *bench) measureFirst(ctx context.Context) ([]row, error) {
	far, err := startCounter("127.0.0.1")
	if err != nil {
		return nil, err
	}
	defer far.close()
	idle := *b
	idle.members = firstMembers
	file, err := idle.writeMembers(idle.members)
	if err != nil {
		return nil, err
	}
	if _, _, err := idle.importList(ctx, "first", file); err != nil {
		return nil, err
	}
	if err := b.store.settle(ctx); err != nil {
		return nil, err
	}
	defer b.sendTo(far)()
	if err := b.serveAll(ctx); err != nil {
		return nil, err
	}
	var waits []time.Duration
	for range firstPosts {
		wait, err := idle.firstCopy(ctx, far, "first")
		if err != nil {
			return nil, err
		}
		waits = append(waits, wait)
	}
	slices.Sort(waits)
	b.say("first copy of %d posts: %v, median %v, slowest %v", firstPosts, waits[0], waits[firstPosts/2], waits[firstPosts-1])
	name := fmt.Sprintf("from the 250 to the first of %d copies, the slowest of %d posts, ms", idle.members, firstPosts)
	return []row{limitRow(name, milliseconds(waits[firstPosts-1]), milliseconds(firstLimit))}, nil
}

// firstCopy posts once and returns when all copies are out, so that the next post finds nothing to
// wait for.
func (b *bench) firstCopy(ctx context.Context, far *counter, list string) (time.Duration, error) {
	far.expect(1)
	accepted, err := b.postOnce(ctx, list)
	if err != nil {
		return 0, err
	}
	first, err := far.await(ctx, peerPatience)
	return firstAfter(accepted, first), err
}

// firstAfter is never nothing: a copy may be out before the 250 was read.
func firstAfter(accepted, first time.Time) time.Duration {
	return max(first.Sub(accepted), time.Microsecond)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
