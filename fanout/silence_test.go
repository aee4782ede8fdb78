package fanout

import (
	"context"
	"slices"
	"testing"
)

// What is parted from a shard is who was not begun, in order, with what is kept of those who are tried again;
// what is left stands in nobody's way.
func TestPartShard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 10, 1)
	w.post(list, testMessage)
	w.plan(true)
	node := w.node()
	c := w.claimOne(node)
	members := func(where string, args ...any) (all []int64) {
		w.row(`SELECT COALESCE(array_agg(u.m ORDER BY s.id, u.n), '{}') FROM shard s JOIN shard_members sm ON sm.shard = s.id
			CROSS JOIN LATERAL unnest(sm.members) WITH ORDINALITY AS u(m, n) WHERE `+where, args...).into(&all)
		return all
	}
	whole := members(`true`)
	w.exec(`INSERT INTO delivery (fanout, member, dest, state, attempts, due, shard)
		SELECT $1, m, $2, 'deferred', 1, now(), $3 FROM unnest($4::bigint[]) m`, c.Fanout, c.Dest, c.ID, []int64{whole[0], whole[9]})

	stale := c
	stale.Epoch--
	if ours, err := partShard(context.Background(), w.pool, node, &stale, 3); ours || err != nil {
		t.Errorf("a lost claim was parted: %v, %v", ours, err)
	}
	if ours, err := partShard(context.Background(), w.pool, node, &c, 3); !ours || err != nil {
		t.Fatalf("%v, %v", ours, err)
	}
	if got := members(`s.id = $1 AND s.size = 3 AND s.list IS NULL AND s.state = 'claimed'`, c.ID); !slices.Equal(got, whole[:3]) {
		t.Errorf("%v are left of %v", got, whole)
	}
	if got := members(`s.id <> $1 AND s.size = 7 AND s.list = $2 AND s.state = 'ready' AND s.done = 0 AND s.turn = $3`, c.ID, list, c.Turn); !slices.Equal(got, whole[3:]) {
		t.Errorf("%v go on, of %v", got, whole)
	}
	if n := w.count(`SELECT count(*) FROM delivery WHERE (shard = $1) = (member = $2)`, c.ID, whole[0]); n != 2 {
		t.Errorf("%d copies that are tried again are with their shard", n)
	}

	// All of it is begun: there is nothing to part, but the line is free.
	rest := w.claimOne(node)
	if ours, err := partShard(context.Background(), w.pool, node, &rest, 7); !ours || err != nil {
		t.Fatalf("%v, %v", ours, err)
	}
	if n := w.count(`SELECT count(*) FROM shard`); n != 2 {
		t.Errorf("%d shards", n)
	}
	if n := w.count(`SELECT count(*) FROM shard WHERE list IS NOT NULL`); n != 0 {
		t.Errorf("%d are still in the line", n)
	}
}
