package fanout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// readyDest is a destination that has shards to claim.
type readyDest struct {
	ID       int64
	Name     string
	Failures int
	Retried  int64         // times that somebody wanted what its shards of many are for tried again
	Ended    time.Duration // since it was left alone last; 0: somebody asked to try it again
	Open     bool          // it is neither blocked nor held, as a whole
}

const sqlReady = `
		WITH RECURSIVE d(dest) AS (
			(SELECT s.dest FROM shard s WHERE s.state = 'ready' AND s.dest > $1 ORDER BY s.dest LIMIT 1)
			UNION ALL
			SELECT (SELECT s.dest FROM shard s WHERE s.state = 'ready' AND s.dest > d.dest ORDER BY s.dest LIMIT 1)
			FROM d WHERE d.dest IS NOT NULL),
		page AS (SELECT dest FROM d WHERE dest IS NOT NULL LIMIT $2)
		SELECT x.id, x.name, x.failures, x.retried, COALESCE(now() - x.blocked, interval '0') AS ended,
			(x.blocked IS NULL OR x.blocked <= now() OR x.blocked > now() + $3::interval)
			AND NOT EXISTS (SELECT FROM hold h
				WHERE h.list = 0 AND h.dest = ANY(ARRAY[0, x.id]) AND h.post = ` + noPost + `) AS open
		FROM page JOIN destination x ON x.id = page.dest
		ORDER BY x.id`

// selectReady lists destinations with ready shards, by id from after on, skipping from one to the
// next in the index however many shards each has. Fewer than limit are the last. A block that is
// further away than any is was made when the clock was ahead.
func selectReady(ctx context.Context, q querier, after int64, limit int) ([]readyDest, error) {
	found, err := collect[readyDest](ctx, q, sqlReady, after, limit, longestBlock)
	if err != nil {
		return nil, fmt.Errorf("destinations with shards: %w", err)
	}
	return found, nil
}

// claim is a shard that a node holds.
type claim struct {
	ID      int64
	Fanout  int64
	List    int64 // in whose line it stands; 0: in none
	Dest    int64
	Epoch   int32
	Size    int32
	Done    int32
	Sent    int32
	Dropped int32
	Retry   bool
	Turn    int64
	Held    bool // it may not be sent, and was put by instead

	stop *atomic.Bool // what is left of it is to be given back
}

const sqlClaim = `
		WITH next AS MATERIALIZED (
			SELECT s.id, ` + heldShard + ` AS held FROM shard s
			WHERE s.dest = $2 AND s.state = 'ready' AND s.turn <= $4
				AND EXISTS (SELECT FROM node n WHERE n.id = $1 AND n.dead IS NULL)
			ORDER BY s.turn, s.id LIMIT $3 FOR UPDATE OF s SKIP LOCKED),
		claimed AS (
			UPDATE shard s SET state = CASE WHEN next.held THEN 'held' ELSE 'claimed' END,
				node = CASE WHEN NOT next.held THEN $1::bigint END, epoch = s.epoch + 1
			FROM next WHERE s.id = next.id
			RETURNING s.id, s.fanout, COALESCE(s.list, 0) AS list, s.dest, s.epoch, s.size, s.done, s.sent, s.dropped, s.retry, s.turn, next.held),
		moved AS (
			UPDATE destination SET turn = (SELECT max(turn) FROM claimed WHERE NOT held)
			WHERE id = $2 AND turn < (SELECT max(turn) FROM claimed WHERE NOT held))
		SELECT * FROM claimed ORDER BY turn, id`

// claimOf is what is to be claimed.
type claimOf struct {
	node, dest int64
	last       int64 // turn
	limit      int
}

// claimShards takes the next ready shards of a destination for a node whose row is not dead, by turn.
// What it meets that may not be sent it puts by, once, so that it need not be passed over each time.
func claimShards(ctx context.Context, q querier, of claimOf) ([]claim, error) {
	var claims []claim
	for {
		found, err := collect[claim](ctx, q, sqlClaim, of.node, of.dest, of.limit-len(claims), of.last)
		if err != nil {
			return claims, fmt.Errorf("claim: %w", err)
		}
		met := len(found)
		found = slices.DeleteFunc(found, func(c claim) bool { return c.Held })
		claims = append(claims, found...)
		if len(found) == met || len(claims) >= of.limit {
			return claims, nil
		}
	}
}

// recipients is who a shard still has to reach, in order.
type recipients struct {
	members   []int64
	addresses []string // "" for who is not to get the copy any more
	lists     []int64  // whose member each is; nil where there is only one list
	attempts  []int32  // so far; nil for a first attempt
	left      time.Duration
	fresh     bool // known from planning
}

// selectClaimed reads who is left to do in a claimed shard. A member who has left since, or
// receives nothing any more, has no address.
func selectClaimed(ctx context.Context, q querier, c *claim) (*recipients, error) {
	r := &recipients{}
	var joined string
	// Two statements and no CASE: with one that depends on a parameter, PostgreSQL plans each time.
	attempts := `NULL::integer[]`
	if c.Retry {
		attempts = `array_agg(COALESCE((SELECT d.attempts FROM delivery d WHERE d.fanout = f.id AND d.member = u.id), 0) ORDER BY u.n)`
	}
	err := q.QueryRow(ctx, `
		SELECT EXTRACT(epoch FROM f.expires - now())::float8 * interval '1 second', sm.members[$2::int + 1 :], w.addresses, w.lists, w.attempts
		FROM shard_members sm JOIN fanout f ON f.id = $3
		CROSS JOIN LATERAL (
			SELECT string_agg(COALESCE(CASE WHEN m.left_at IS NULL AND m.state = 'active' AND m.mode = 'each' THEN m.address END,
					f.addresses[-u.id], ''), E'\n' ORDER BY u.n) AS addresses,
				CASE WHEN cardinality(f.lists) > 1 THEN array_agg(COALESCE(m.list, 0) ORDER BY u.n) END AS lists,
				`+attempts+` AS attempts
			FROM unnest(sm.members[$2::int + 1 :]) WITH ORDINALITY AS u(id, n) LEFT JOIN member m ON m.id = u.id) w
		WHERE sm.shard = $1`, c.ID, c.Done, c.Fanout).
		Scan(&r.left, &r.members, &joined, &r.lists, &r.attempts)
	if err != nil {
		return nil, fmt.Errorf("members of shard %d: %w", c.ID, err)
	}
	r.addresses = strings.Split(joined, "\n")
	return r, nil
}

// goneRow is a member who has left.
type goneRow struct {
	ID     int64
	LeftAt time.Time `db:"left_at"`
}

// selectGone finds the members of a fan-out's lists who left at or after a moment.
func selectGone(ctx context.Context, q querier, fanout int64, since time.Time) ([]goneRow, error) {
	gone, err := collect[goneRow](ctx, q, `
		SELECT m.id, m.left_at FROM fanout f JOIN member m ON m.list = ANY(f.lists)
		WHERE f.id = $1 AND m.left_at >= GREATEST(f.accepted, $2)`, fanout, since)
	if err != nil {
		return nil, fmt.Errorf("members who left: %w", err)
	}
	return gone, nil
}

// saveBlock stores that destinations are left alone for a while, or, with no failures, that they
// answer again.
func saveBlock(ctx context.Context, q querier, dests []int64, failures int, wait time.Duration, reply string) error {
	_, err := q.Exec(ctx, `
		WITH own AS MATERIALIZED (SELECT id FROM destination WHERE id = ANY($1) ORDER BY id FOR UPDATE)
		UPDATE destination x SET failures = $2, reply = $4, blocked = CASE WHEN $2 > 0 THEN now() + $3::interval END
		FROM own WHERE x.id = own.id`, dests, failures, wait, reply)
	if err != nil {
		return fmt.Errorf("destinations %d: %w", dests, err)
	}
	return nil
}

// clearFailures stores that a destination answers which was left alone before.
func clearFailures(ctx context.Context, q querier, dest int64) error {
	_, err := q.Exec(ctx, `UPDATE destination SET failures = 0, reply = '', blocked = NULL WHERE id = $1 AND blocked <= now()`, dest)
	if err != nil {
		return fmt.Errorf("destination %d: %w", dest, err)
	}
	return nil
}
