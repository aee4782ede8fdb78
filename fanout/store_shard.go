package fanout

import (
	"context"
	"fmt"

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
	turns, queued, err := n.takeTurns(ctx, tx)
	if err != nil {
		return err
	}
	starts := make([]int32, len(n.sizes))
	at := int32(1)
	for i, size := range n.sizes {
		starts[i] = at
		at += size
	}
	n.ids, err = collectIDs(ctx, tx, `
		WITH new AS MATERIALIZED (
			SELECT nextval('shard_id_seq') AS id, n.*
			FROM unnest(@dests::bigint[], @turns::bigint[], @sizes::int[], @starts::int[], @queued::bool[]) WITH ORDINALITY
				AS n(dest, turn, size, start, queued, place)),
		made AS (
			INSERT INTO shard (id, fanout, dest, list, turn, size, retry, given_up, state)
			SELECT id, @fanout, dest, @list, turn, size, @retry, @given_up, CASE WHEN queued THEN 'queued' ELSE 'ready' END FROM new),
		filled AS (
			INSERT INTO shard_members (shard, members)
			SELECT id, (@members::bigint[])[start : start + size - 1] FROM new)
		SELECT id FROM new ORDER BY place`, pgx.NamedArgs{
		"dests": n.dests, "turns": turns, "sizes": n.sizes, "starts": starts, "queued": queued,
		"fanout": n.fanout, "list": n.list, "retry": n.retry, "given_up": n.givenUp, "members": n.members,
	})
	if err != nil {
		return fmt.Errorf("shards of fan-out %d: %w", n.fanout, err)
	}
	return nil
}

// takeTurns gives each new shard its turn at its destination, and says of each whether it is queued
// there: an older post of the list is before it.
func (n *newShards) takeTurns(ctx context.Context, tx pgx.Tx) (turns []int64, queued []bool, err error) {
	counts := map[int64]int64{}
	var distinct, wanted []int64
	for _, d := range n.dests {
		if counts[d] == 0 {
			distinct = append(distinct, d)
		}
		counts[d]++
	}
	for _, d := range distinct {
		wanted = append(wanted, counts[d])
	}
	type share struct {
		Dest   int64
		Next   int64 // the turn of the first
		Queued bool
	}
	shares, err := collect[share](ctx, tx, `
		WITH w AS (
			INSERT INTO fanout_share AS s (fanout, dest, start, shards)
			SELECT $1, d.id, GREATEST(d.turn, (
				SELECT r.turn FROM shard r WHERE r.dest = d.id AND r.state = 'ready' ORDER BY r.turn LIMIT 1)), w.n
			FROM unnest($2::bigint[], $3::bigint[]) AS w(dest, n) JOIN destination d ON d.id = w.dest
			ON CONFLICT (fanout, dest) DO UPDATE SET shards = s.shards + excluded.shards
			RETURNING s.dest, s.start + s.shards AS turn, $4::bigint AS list)
		SELECT dest, turn AS next, COALESCE(`+sqlOldest+` < $1, false) AS queued FROM w`, n.fanout, distinct, wanted, n.list)
	if err != nil {
		return nil, nil, fmt.Errorf("turns of fan-out %d: %w", n.fanout, err)
	}
	of := make(map[int64]share, len(shares))
	for _, s := range shares {
		s.Next -= counts[s.Dest]
		of[s.Dest] = s
		if s.Queued {
			n.queued = append(n.queued, line{*n.list, s.Dest})
		}
	}
	turns, queued = make([]int64, len(n.dests)), make([]bool, len(n.dests))
	for i, d := range n.dests {
		s := of[d]
		turns[i], queued[i] = s.Next, s.Queued
		s.Next++
		of[d] = s
	}
	return turns, queued, nil
}
