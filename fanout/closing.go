package fanout

import (
	"maps"
	"slices"
	"sync"
)

// maxClosing bounds the fan-outs that are remembered for a sweep. Those beyond are met in their turn.
const maxClosing = 100_000

// closing are fan-outs of which nothing may be left to do: the last of a node's runs of it has ended, or its plan
// has. They are looked at with the next sweep, so that closing costs what is closed and not what is open.
// What ends otherwise, by a drop or by its time, or on a node that died, is met by going through all.
type closing struct {
	mu  sync.Mutex
	ids map[int64]struct{}
}

// add remembers fan-outs. Nil remembers none.
func (c *closing) add(fanouts ...int64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = map[int64]struct{}{}
	}
	for _, id := range fanouts {
		if len(c.ids) < maxClosing {
			c.ids[id] = struct{}{}
		}
	}
}

// take returns what was remembered, in order.
func (c *closing) take() []int64 {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := slices.Sorted(maps.Keys(c.ids))
	c.ids = nil
	return ids
}
