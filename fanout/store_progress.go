package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

type progressRow struct {
	ID        int64
	Planned   bool
	Finished  bool
	Copies    int64
	Settled   int64 // tried once at least, or left before
	Delivered int64
	Deferred  int64 // up to one more than MaxCounted
	Dropped   int64
	GivenUp   bool `db:"given_up"`
	Error     string
	Tracking  string
}

// What is settled and neither delivered, nor deferred, nor of who had left, has bounced: so only the
// deferred are counted one by one, and these not to the end.
const sqlProgress = `
		SELECT f.id, f.planned IS NOT NULL AS planned, f.finished IS NOT NULL AS finished, f.copies, f.error, f.tracking, s.given_up,
			CASE WHEN f.finished IS NULL THEN s.settled ELSE f.copies END AS settled,
			CASE WHEN f.finished IS NULL THEN s.sent ELSE f.delivered END AS delivered,
			CASE WHEN f.finished IS NULL THEN s.dropped ELSE f.dropped END AS dropped,
			(SELECT count(*) FROM (
				SELECT FROM delivery d WHERE d.fanout = f.id AND d.state = 'deferred' LIMIT $2 + 1) x) AS deferred
		FROM fanout f
		CROSS JOIN LATERAL (
			SELECT COALESCE(sum(sent), 0)::bigint AS sent, COALESCE(sum(dropped), 0)::bigint AS dropped,
				COALESCE(sum(done) FILTER (WHERE NOT retry), 0)::bigint AS settled,
				COALESCE(bool_or(given_up <> ''), false) AS given_up
			FROM shard WHERE fanout = f.id) s
		WHERE f.post = $1`

// selectProgress counts what became of a post's copies; nil if its fan-out is not begun.
func selectProgress(ctx context.Context, q querier, post uuid.UUID) (*progressRow, error) {
	found, err := collect[progressRow](ctx, q, sqlProgress, post, MaxCounted)
	if err != nil {
		return nil, fmt.Errorf("progress of post %s: %w", post, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

// selectReplies groups up to MaxCounted refusals of a fan-out, the most frequent first.
func selectReplies(ctx context.Context, q querier, fanout int64, limit int) ([]Reply, error) {
	replies, err := collect[Reply](ctx, q, `
		SELECT host, reply AS text, count(*) AS copies, max(at) AS last
		FROM (SELECT host, reply, at FROM delivery WHERE fanout = $1 AND reply <> '' LIMIT $3) x
		GROUP BY host, reply ORDER BY count(*) DESC, host, reply LIMIT $2`, fanout, limit, MaxCounted)
	if err != nil {
		return nil, fmt.Errorf("replies to fan-out %d: %w", fanout, err)
	}
	return replies, nil
}

// The fan-out stands in the comparisons and in the order so that this is one walk of journal_fanout,
// and never one back through the pieces of all later posts.
const sqlJournals = `SELECT lines FROM journal WHERE fanout >= $1 AND (fanout, id) < ($1 + 1, 0) ORDER BY fanout DESC, id DESC LIMIT $2`

// selectJournals reads the latest pieces of a fan-out's journal.
func selectJournals(ctx context.Context, q querier, fanout int64, limit int) ([][]byte, error) {
	rows, err := q.Query(ctx, sqlJournals, fanout, limit)
	if err != nil {
		return nil, fmt.Errorf("journal of fan-out %d: %w", fanout, err)
	}
	pieces, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("journal of fan-out %d: %w", fanout, err)
	}
	return pieces, nil
}

// placeRow is a piece of the journal that may speak of a member, and where the member stands in its
// shard.
type placeRow struct {
	Place int32
	Lines []byte
}

func selectPlaces(ctx context.Context, q querier, post uuid.UUID, key string) ([]placeRow, error) {
	places, err := collect[placeRow](ctx, q, `
		SELECT array_position(sm.members, m.id) - 1 AS place, j.lines
		FROM fanout f JOIN member m ON m.list = ANY(f.lists) AND m.key = $2
		JOIN shard s ON s.fanout = f.id JOIN shard_members sm ON sm.shard = s.id AND sm.members @> ARRAY[m.id]
		JOIN journal j ON j.shard = s.id
		WHERE f.post = $1 ORDER BY j.id`, post, key)
	if err != nil {
		return nil, fmt.Errorf("trace of %s in post %s: %w", key, post, err)
	}
	return places, nil
}

// MaxCounted bounds the rows of each kind that are read to say how long the queue is, and how far a
// post. A shard is one row, of up to a few hundred copies.
const MaxCounted = 10_000

// Each count reads one row more than MaxCounted at most, which says that there are more.
const sqlStatus = `
		WITH posts AS (SELECT FROM post WHERE state = 'accepted' AND planned IS NULL LIMIT $1 + 1),
		notices AS (SELECT FROM notice WHERE planned IS NULL LIMIT $1 + 1),
		shards AS (SELECT s.size - s.done AS n, s.state, s.retry, EXISTS (SELECT FROM hold) AND ` + heldShard + ` AS held
			FROM shard s WHERE s.state IN ('queued', 'ready', 'claimed', 'held') LIMIT $1 + 1),
		deferred AS (SELECT FROM delivery WHERE state = 'deferred' LIMIT $1 + 1),
		aside AS (
			SELECT FROM fanout WHERE error <> ''
			UNION ALL
			SELECT FROM shard s JOIN fanout f ON f.id = s.fanout WHERE s.state = 'aside' AND f.error = ''
			LIMIT $1 + 1)
		SELECT p.n + q.n AS unplanned, COALESCE(s.copies, 0) AS waiting, s.queued, s.ready, s.claimed, COALESCE(s.held, 0) AS held,
			d.n AS deferred, a.n AS aside,
			GREATEST(p.n, q.n, s.n, d.n, a.n) > $1 AS more,
			COALESCE(LEAST((SELECT min(accepted) FROM fanout WHERE finished IS NULL),
				(SELECT min(accepted) FROM post WHERE state = 'accepted' AND planned IS NULL),
				(SELECT min(made) FROM notice WHERE planned IS NULL)), 'epoch'::timestamptz) AS oldest
		FROM (SELECT count(*) AS n FROM posts) p, (SELECT count(*) AS n FROM notices) q,
			(SELECT count(*) AS n, sum(n) FILTER (WHERE NOT retry) AS copies, sum(n) FILTER (WHERE held AND NOT retry) AS held,
				count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'ready') AS ready, count(*) FILTER (WHERE state = 'claimed') AS claimed FROM shards) s,
			(SELECT count(*) AS n FROM deferred) d, (SELECT count(*) AS n FROM aside) a`

func selectStatus(ctx context.Context, q querier) (Status, error) {
	var s Status
	err := q.QueryRow(ctx, sqlStatus, MaxCounted).Scan(
		&s.Unplanned, &s.Waiting, &s.Queued, &s.Ready, &s.Claimed, &s.Held, &s.Deferred, &s.Aside, &s.More, &s.Oldest)
	if err != nil {
		return Status{}, fmt.Errorf("status of the queue: %w", err)
	}
	if s.Oldest.Unix() == 0 {
		s.Oldest = time.Time{}
	}
	return s, nil
}

// selectNodes lists the living nodes and those that stopped or died in the last hour.
func selectNodes(ctx context.Context, q querier) ([]Node, error) {
	nodes, err := collect[Node](ctx, q, `
		SELECT id, host, started AS since, seen, dead IS NULL AS alive, dead IS NOT NULL AND seen = dead AS stopped FROM node
		WHERE dead IS NULL OR dead > now() - interval '1 hour' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	return nodes, nil
}

// It counts the same rows as sqlStatus at most.
const sqlDestinations = `
		WITH s AS (
			SELECT x.dest, sum(x.n) AS waiting, min(f.accepted) AS oldest FROM (
				SELECT dest, sum(size - done) AS n, fanout FROM (
					SELECT dest, size, done, fanout FROM shard WHERE state IN ('queued', 'ready', 'claimed', 'held') AND NOT retry LIMIT $2 + 1) y
				GROUP BY dest, fanout) x JOIN fanout f ON f.id = x.fanout
			GROUP BY x.dest),
		d AS (
			SELECT x.dest, sum(x.n) AS deferred, min(f.accepted) AS oldest FROM (
				SELECT dest, count(*) AS n, fanout FROM (
					SELECT dest, fanout FROM delivery WHERE state = 'deferred' LIMIT $2 + 1) y
				GROUP BY dest, fanout) x JOIN fanout f ON f.id = x.fanout
			GROUP BY x.dest)
		SELECT x.id, x.name, COALESCE(s.waiting, 0)::bigint AS waiting, COALESCE(d.deferred, 0)::bigint AS deferred,
			COALESCE(LEAST(s.oldest, d.oldest), 'epoch'::timestamptz) AS oldest,
			COALESCE(CASE WHEN x.blocked > now() THEN x.blocked END, 'epoch'::timestamptz) AS blocked,
			CASE WHEN x.blocked > now() THEN x.reply ELSE '' END AS reply
		FROM destination x LEFT JOIN s ON s.dest = x.id LEFT JOIN d ON d.dest = x.id
		WHERE s.dest IS NOT NULL OR d.dest IS NOT NULL OR x.blocked > now()
		ORDER BY waiting DESC, deferred DESC, x.id LIMIT $1`

func selectDestinations(ctx context.Context, q querier, limit int) ([]Destination, error) {
	type row struct {
		ID                int64
		Name              string
		Waiting, Deferred int64
		Oldest, Blocked   time.Time
		Reply             string
	}
	rows, err := collect[row](ctx, q, sqlDestinations, limit, MaxCounted)
	if err != nil {
		return nil, fmt.Errorf("destinations: %w", err)
	}
	never := func(t time.Time) time.Time {
		if t.Unix() == 0 {
			return time.Time{}
		}
		return t
	}
	found := make([]Destination, len(rows))
	for i, r := range rows {
		found[i] = Destination{
			ID: r.ID, Name: r.Name, Waiting: r.Waiting, Deferred: r.Deferred, Oldest: never(r.Oldest), Blocked: never(r.Blocked), Reply: r.Reply,
		}
	}
	return found, nil
}
