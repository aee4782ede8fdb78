package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// destinationIDs finds the rows of destinations by name and makes those that are new.
func destinationIDs(ctx context.Context, q querier, names []string) (map[string]int64, error) {
	type row struct {
		ID   int64
		Name string
	}
	if _, err := q.Exec(ctx, `
		INSERT INTO destination (name) SELECT n FROM unnest($1::text[]) AS n ORDER BY n
		ON CONFLICT DO NOTHING`, names); err != nil {
		return nil, fmt.Errorf("destinations: %w", err)
	}
	rows, err := collect[row](ctx, q, `SELECT id, name FROM destination WHERE name = ANY($1)`, names)
	if err != nil {
		return nil, fmt.Errorf("destinations: %w", err)
	}
	ids := make(map[string]int64, len(rows))
	for _, r := range rows {
		ids[r.Name] = r.ID
	}
	return ids, nil
}

// newShards is what one step adds to a fan-out.
type newShards struct {
	fanout  int64
	list    *int64 // in whose lines they stand
	retry   bool
	givenUp string   // by whom; "" for what is to be sent
	members []int64  // of all shards, one after the other
	fresh   []string // their addresses, where they are to be kept for who claims the shards here
	dests   []int64  // by shard
	sizes   []int32
	ids     []int64 // by shard, once they are made
	queued  []line  // of which some are, behind older posts
}

// insertShards makes shards. Each takes the turn after the one before it in its fan-out at its
// destination; a fan-out's first there is put level with what is being sent now, so that a list
// does not wait for all that came before it, and nobody is overtaken for ever.
func insertShards(ctx context.Context, tx pgx.Tx, n *newShards) error {
	if len(n.sizes) == 0 {
		return nil
	}
	turns, err := takeTurns(ctx, tx, n.fanout, n.dests)
	if err != nil {
		return err
	}
	if err := n.queue(ctx, tx); err != nil {
		return err
	}
	queued := make([]bool, len(n.sizes))
	for i, d := range n.dests {
		queued[i] = n.list != nil && slices.Contains(n.queued, line{*n.list, d})
	}
	starts := make([]int32, len(n.sizes))
	at := int32(1)
	for i, size := range n.sizes {
		starts[i] = at
		at += size
	}
	n.ids, err = collectIDs(ctx, tx, `
		SELECT nextval(pg_get_serial_sequence('shard', 'id')) FROM generate_series(1, $1::int)`, len(n.sizes))
	if err != nil {
		return fmt.Errorf("shard ids: %w", err)
	}
	_, err = tx.Exec(ctx, `
		WITH new AS (
			SELECT * FROM unnest(@ids::bigint[], @dests::bigint[], @turns::bigint[], @sizes::int[], @starts::int[], @queued::bool[])
				AS n(id, dest, turn, size, start, queued)),
		made AS (
			INSERT INTO shard (id, fanout, dest, list, turn, size, retry, given_up, state)
			SELECT id, @fanout, dest, @list, turn, size, @retry, @given_up, CASE WHEN queued THEN 'queued' ELSE 'ready' END FROM new)
		INSERT INTO shard_members (shard, members)
		SELECT id, (@members::bigint[])[start : start + size - 1] FROM new`, pgx.NamedArgs{
		"ids": n.ids, "dests": n.dests, "turns": turns, "sizes": n.sizes, "starts": starts, "queued": queued,
		"fanout": n.fanout, "list": n.list, "retry": n.retry, "given_up": n.givenUp, "members": n.members,
	})
	if err != nil {
		return fmt.Errorf("shards of fan-out %d: %w", n.fanout, err)
	}
	return nil
}

// queue finds the lines in which an older post is before these shards.
func (n *newShards) queue(ctx context.Context, q querier) error {
	if n.list == nil {
		return nil
	}
	behind, err := collectIDs(ctx, q, `
		SELECT w.dest FROM (SELECT DISTINCT $1::bigint AS list, dest FROM unnest($2::bigint[]) AS d(dest)) w
		WHERE `+sqlOldest+` < $3`, *n.list, n.dests, n.fanout)
	if err != nil {
		return fmt.Errorf("what is before fan-out %d: %w", n.fanout, err)
	}
	for _, dest := range behind {
		n.queued = append(n.queued, line{*n.list, dest})
	}
	return nil
}

// takeTurns gives each new shard of a fan-out its turn at its destination.
func takeTurns(ctx context.Context, tx pgx.Tx, fanout int64, dests []int64) ([]int64, error) {
	counts := map[int64]int64{}
	var distinct, wanted []int64
	for _, d := range dests {
		if counts[d] == 0 {
			distinct = append(distinct, d)
		}
		counts[d]++
	}
	for _, d := range distinct {
		wanted = append(wanted, counts[d])
	}
	type share struct {
		Dest int64
		Next int64
	}
	shares, err := collect[share](ctx, tx, `
		INSERT INTO fanout_share AS s (fanout, dest, start, shards)
		SELECT $1, d.id, GREATEST(d.turn, (
			SELECT r.turn FROM shard r WHERE r.dest = d.id AND r.state = 'ready' ORDER BY r.turn LIMIT 1)), w.n
		FROM unnest($2::bigint[], $3::bigint[]) AS w(dest, n) JOIN destination d ON d.id = w.dest
		ON CONFLICT (fanout, dest) DO UPDATE SET shards = s.shards + excluded.shards
		RETURNING s.dest, s.start + s.shards AS next`, fanout, distinct, wanted)
	if err != nil {
		return nil, fmt.Errorf("turns of fan-out %d: %w", fanout, err)
	}
	next := make(map[int64]int64, len(shares))
	for _, s := range shares {
		next[s.Dest] = s.Next - counts[s.Dest]
	}
	turns := make([]int64, len(dests))
	for i, d := range dests {
		turns[i] = next[d]
		next[d]++
	}
	return turns, nil
}
