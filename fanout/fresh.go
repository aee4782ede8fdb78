package fanout

import (
	"sync"
	"time"
)

const (
	// maxFresh bounds the members whose addresses are kept from planning to claiming.
	maxFresh = 100_000
	// freshAge is how long they are good for: then somebody else has claimed the shard.
	freshAge = 10 * time.Second
)

// freshShards is who is in the shards that this node has just planned, so that it need not read a
// hundred thousand members twice in a second when it sends them itself.
type freshShards struct {
	mu      sync.Mutex
	shards  map[int64]*freshShard
	members int
}

type freshShard struct {
	who  *recipients
	made time.Time
}

func newFreshShards() *freshShards { return &freshShards{shards: map[int64]*freshShard{}} }

// put keeps shards that were made, if their addresses are known and there is room.
func (f *freshShards) put(n *newShards) {
	if f == nil || n == nil || len(n.fresh) != len(n.members) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tidy()
	now, at := time.Now(), 0
	for i, id := range n.ids {
		size := int(n.sizes[i])
		if f.members+size > maxFresh {
			return
		}
		f.members += size
		f.shards[id] = &freshShard{made: now, who: &recipients{
			members: n.members[at : at+size], addresses: n.fresh[at : at+size], left: keepTrying, fresh: true,
		}}
		at += size
	}
}

// tidy drops what is too old to be asked for.
func (f *freshShards) tidy() {
	for id, s := range f.shards {
		if time.Since(s.made) > freshAge {
			f.members -= len(s.who.members)
			delete(f.shards, id)
		}
	}
}

// take gives out a shard, once; nil if it is not known.
func (f *freshShards) take(id int64) *recipients {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shards[id]
	if s == nil {
		return nil
	}
	f.members -= len(s.who.members)
	delete(f.shards, id)
	if time.Since(s.made) > freshAge {
		return nil
	}
	return s.who
}
