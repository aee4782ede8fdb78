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
	turns   []int64 // by shard, once they have them
	behind  []bool  // by shard: it is queued behind an older post
	ids     []int64 // by shard, once they are made
	queued  []line  // of which some are, behind older posts
}

// insertShards makes shards. Each takes the turn after the one before it in its fan-out at its
// destination, a step later, and a fan-out's first there is a step after what is being sent now: a list
// does not wait for all that came before it, and nobody is overtaken for ever. The step is the shorter
// the higher the priority of its list: of lists that have as much to send, one with half the step has
// twice the shards sent in a time.
func insertShards(ctx context.Context, tx pgx.Tx, all ...*newShards) error {
	all = slices.DeleteFunc(slices.Clone(all), func(n *newShards) bool { return len(n.sizes) == 0 })
	if len(all) == 0 {
		return nil
	}
	turns, shards := &pgx.Batch{}, &pgx.Batch{}
	for _, n := range all {
		n.queueTurns(turns)
	}
	if err := tx.SendBatch(ctx, turns).Close(); err != nil {
		return fmt.Errorf("turns of shards: %w", err)
	}
	for _, n := range all {
		n.queueInsert(shards)
	}
	if err := tx.SendBatch(ctx, shards).Close(); err != nil {
		return fmt.Errorf("new shards: %w", err)
	}
	return nil
}

func (n *newShards) queueInsert(batch *pgx.Batch) {
	starts := make([]int32, len(n.sizes))
	at := int32(1)
	for i, size := range n.sizes {
		starts[i] = at
		at += size
	}
	batch.Queue(`
		WITH new AS MATERIALIZED (
			SELECT nextval('shard_id_seq') AS id, n.*
			FROM unnest(@dests::bigint[], @turns::bigint[], @sizes::int[], @starts::int[], @behind::bool[]) WITH ORDINALITY
				AS n(dest, turn, size, start, behind, place)),
		made AS (
			INSERT INTO shard (id, fanout, dest, list, turn, size, retry, given_up, state)
			SELECT id, @fanout, dest, @list, turn, size, @retry, @given_up, CASE WHEN behind THEN 'queued' ELSE 'ready' END FROM new),
		filled AS (
			INSERT INTO shard_members (shard, members)
			SELECT id, (@members::bigint[])[start : start + size - 1] FROM new)
		SELECT id FROM new ORDER BY place`, pgx.NamedArgs{
		"dests": n.dests, "turns": n.turns, "sizes": n.sizes, "starts": starts, "behind": n.behind,
		"fanout": n.fanout, "list": n.list, "retry": n.retry, "given_up": n.givenUp, "members": n.members,
	}).Query(func(rows pgx.Rows) (err error) {
		n.ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
}

// share is what new shards get at one destination.
type share struct {
	Dest   int64
	Next   int64 // the turn of the first
	Step   int64
	Queued bool
}

// sqlLevel is the turn that is being sent now at a destination d: the last one claimed, unless what is
// ready is further away from it than the longest step. What is ready before it goes first, wherever new
// shards are put between it and what comes after; and it is there in the index that all that was claimed has left
// its entries.
const sqlLevel = `GREATEST(d.turn, (SELECT r.turn FROM shard r
				WHERE r.dest = d.id AND r.state = 'ready' AND r.turn > d.turn ORDER BY r.turn LIMIT 1) - 16)`

// queueTurns asks for a turn for each new shard at its destination, and whether it is queued there: an
// older post of the list is before it.
func (n *newShards) queueTurns(batch *pgx.Batch) {
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
	batch.Queue(`
		WITH w AS (
			INSERT INTO fanout_share AS s (fanout, dest, step, start, shards)
			SELECT $1, d.id, p.step, CASE WHEN p.step > 0 THEN p.step + `+sqlLevel+` ELSE 0 END, w.n
			FROM unnest($2::bigint[], $3::bigint[]) AS w(dest, n) JOIN destination d ON d.id = w.dest CROSS JOIN (
				SELECT CASE WHEN f.notice IS NOT NULL THEN 0 WHEN l.priority = 'high' THEN 1 WHEN l.priority = 'low' THEN 16 ELSE 4 END AS step
				FROM fanout f LEFT JOIN list l ON l.id = f.list WHERE f.id = $1) p
			ON CONFLICT (fanout, dest) DO UPDATE SET shards = s.shards + excluded.shards
			RETURNING s.dest, s.step, s.start + s.shards * s.step AS turn, $4::bigint AS list)
		SELECT dest, step, turn AS next, COALESCE(`+sqlOldest+` < $1, false) AS queued FROM w`, n.fanout, distinct, wanted, n.list).
		Query(func(rows pgx.Rows) error {
			shares, err := pgx.CollectRows(rows, pgx.RowToStructByName[share])
			if err == nil {
				n.takeTurns(shares, counts)
			}
			return err
		})
}

// takeTurns gives each shard the next turn of its destination's share.
func (n *newShards) takeTurns(shares []share, counts map[int64]int64) {
	of := make(map[int64]share, len(shares))
	for _, s := range shares {
		s.Next -= counts[s.Dest] * s.Step
		of[s.Dest] = s
		if s.Queued {
			n.queued = append(n.queued, line{*n.list, s.Dest})
		}
	}
	n.turns, n.behind = make([]int64, len(n.dests)), make([]bool, len(n.dests))
	for i, d := range n.dests {
		s := of[d]
		n.turns[i], n.behind[i] = s.Next, s.Queued
		s.Next += s.Step
		of[d] = s
	}
}
