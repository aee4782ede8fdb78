package fanout

import (
	"context"
	"fmt"
	"time"
)

// The states of a shard that an outcome leaves it in.
const (
	shardClaimed = "claimed" // goes on
	shardReady   = "ready"   // given back
	shardDone    = "done"
	shardAside   = "aside" // waits for somebody to look
)

// exception is a copy of which there is more to say than that it was delivered.
type exception struct {
	member   int64
	state    string // deferred, failed, or gone: its delivery row has become pointless
	attempts int32
	wait     time.Duration // deferred: to the next attempt
	status   string
	host     string
	reply    string
	hard     bool
	source   string // failed: of the bounce
}

// The states of an exception.
const (
	copyDeferred = "deferred"
	copyFailed   = "failed"
	copyGone     = "gone"
)

// outcomeRows is a batch of outcomes as columns, kept between batches.
type outcomeRows struct {
	shards  []int64
	epochs  []int32
	done    []int32
	sent    []int32
	dropped []int32
	states  []string

	xShards   []int64
	xMembers  []int64
	xStates   []string
	xAttempts []int32
	xWaits    []float64 // seconds
	xStatus   []string
	xHosts    []string
	xReplies  []string
	xHard     []bool
	xSources  []string

	jShards []int64
	jLines  [][]byte
}

func (r *outcomeRows) reset() {
	*r = outcomeRows{
		shards: r.shards[:0], epochs: r.epochs[:0], done: r.done[:0], sent: r.sent[:0], dropped: r.dropped[:0], states: r.states[:0],
		xShards: r.xShards[:0], xMembers: r.xMembers[:0], xStates: r.xStates[:0], xAttempts: r.xAttempts[:0],
		xWaits: r.xWaits[:0], xStatus: r.xStatus[:0], xHosts: r.xHosts[:0], xReplies: r.xReplies[:0], xHard: r.xHard[:0], xSources: r.xSources[:0],
		jShards: r.jShards[:0], jLines: r.jLines[:0],
	}
}

func (r *outcomeRows) add(o *outcome) {
	r.shards = append(r.shards, o.shard)
	r.epochs = append(r.epochs, o.epoch)
	r.done = append(r.done, o.done)
	r.sent = append(r.sent, o.sent)
	r.dropped = append(r.dropped, o.dropped)
	r.states = append(r.states, o.state)
	for i := range o.exceptions {
		x := &o.exceptions[i]
		r.xShards = append(r.xShards, o.shard)
		r.xMembers = append(r.xMembers, x.member)
		r.xStates = append(r.xStates, x.state)
		r.xAttempts = append(r.xAttempts, x.attempts)
		r.xWaits = append(r.xWaits, x.wait.Seconds())
		r.xStatus = append(r.xStatus, x.status)
		r.xHosts = append(r.xHosts, x.host)
		r.xReplies = append(r.xReplies, x.reply)
		r.xHard = append(r.xHard, x.hard)
		r.xSources = append(r.xSources, x.source)
	}
	if len(o.journal) > 0 {
		r.jShards = append(r.jShards, o.shard)
		r.jLines = append(r.jLines, o.journal)
	}
}

// sqlLeftAs is the state that an outcome o leaves a shard s in. One that was given up meanwhile and is
// through is given back, not done: who closes it gives up those with it that were put off just now.
const sqlLeftAs = `CASE WHEN o.state = 'done' AND s.given_up <> '' THEN 'ready' ELSE o.state END`

// saveOutcomes stores a batch of outcomes in one statement and returns the shards that are still
// ours; what is told of the others writes nothing. Told again, an outcome changes nothing.
func saveOutcomes(ctx context.Context, q querier, node int64, r *outcomeRows) ([]int64, error) {
	// The batch that only moves shards forward is by far the most frequent. It takes its rows in the
	// order of the outcomes, without a lock before: a lock is written to the log like a change.
	const progress = `
		UPDATE shard s SET done = o.done, sent = o.sent, dropped = o.dropped, state = ` + sqlLeftAs + `,
			node = CASE ` + sqlLeftAs + ` WHEN 'ready' THEN NULL ELSE s.node END
		FROM unnest($2::bigint[], $3::int[], $4::int[], $5::int[], $6::int[], $7::text[])
			AS o(shard, epoch, done, sent, dropped, state)
		WHERE s.id = o.shard AND s.epoch = o.epoch AND s.node = $1
		RETURNING s.id`
	// Exceptions, bounces and the journal follow from what the shard was before and is now.
	const everything = `
		WITH o AS (
			SELECT * FROM unnest($2::bigint[], $3::int[], $4::int[], $5::int[], $6::int[], $7::text[])
				AS o(shard, epoch, done, sent, dropped, state)),
		held AS MATERIALIZED (
			SELECT s.id, s.fanout, s.dest, s.done AS was, s.state AS before, o.done, o.sent, o.dropped,
				` + sqlLeftAs + ` AS state
			FROM o JOIN shard s ON s.id = o.shard AND s.epoch = o.epoch AND s.node = $1
			ORDER BY s.id FOR UPDATE OF s),
		moved AS (
			UPDATE shard s SET done = h.done, sent = h.sent, dropped = h.dropped, state = h.state,
				node = CASE h.state WHEN 'ready' THEN NULL ELSE s.node END
			FROM held h WHERE s.id = h.id
			RETURNING s.id),
		x AS MATERIALIZED (
			SELECT h.fanout, h.dest, x.* FROM unnest($8::bigint[], $9::bigint[], $10::text[], $11::int[], $12::float8[],
					$13::text[], $14::text[], $15::text[], $16::bool[], $17::text[])
				AS x(shard, member, state, attempts, wait, status, host, reply, hard, source)
			JOIN held h ON h.id = x.shard WHERE h.was < h.done),
		told AS (
			INSERT INTO delivery AS d (fanout, member, dest, state, attempts, due, status, host, reply)
			SELECT fanout, member, dest, state, attempts, now() + wait * interval '1 second', status, host, reply
			FROM x WHERE state IN ('deferred', 'failed')
			ON CONFLICT (fanout, member) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
				due = excluded.due, shard = NULL, status = excluded.status, host = excluded.host, reply = excluded.reply, at = now()),
		untold AS (
			DELETE FROM delivery d USING x WHERE x.state = 'gone' AND d.fanout = x.fanout AND d.member = x.member),
		bounced AS (
			INSERT INTO bounce (list, member, source, hard, status, text)
			SELECT m.list, m.id, x.source, x.hard, x.status, x.reply
			FROM x JOIN member m ON m.id = x.member WHERE x.state = 'failed'),
		written AS (
			INSERT INTO journal (fanout, shard, lines)
			SELECT h.fanout, h.id, j.lines FROM unnest($18::bigint[], $19::bytea[]) AS j(shard, lines)
			JOIN held h ON h.id = j.shard WHERE h.before = 'claimed')
		SELECT id FROM moved`
	if len(r.xShards) == 0 && len(r.jShards) == 0 {
		return collectIDs(ctx, q, progress, node, r.shards, r.epochs, r.done, r.sent, r.dropped, r.states)
	}
	return collectIDs(ctx, q, everything, node, r.shards, r.epochs, r.done, r.sent, r.dropped, r.states,
		r.xShards, r.xMembers, r.xStates, r.xAttempts, r.xWaits, r.xStatus, r.xHosts, r.xReplies, r.xHard, r.xSources,
		r.jShards, r.jLines)
}

// setAsideShard takes a shard out of the queue whose outcome cannot be stored: sent again it would
// fail again, and everybody before it would get the copy each time.
func setAsideShard(ctx context.Context, q querier, node int64, o *outcome) error {
	_, err := q.Exec(ctx, `
		UPDATE shard SET state = 'aside' WHERE id = $1 AND node = $2 AND epoch = $3 AND state = 'claimed'`,
		o.shard, node, o.epoch)
	if err != nil {
		return fmt.Errorf("shard %d aside: %w", o.shard, err)
	}
	return nil
}

// setAsideFanout takes a fan-out out of the queue whose message cannot be made. Its shards wait
// for somebody to look; those that are claimed are put aside by who holds them.
func setAsideFanout(ctx context.Context, q querier, fanout int64, reason string) error {
	_, err := q.Exec(ctx, `
		WITH f AS (
			UPDATE fanout SET error = $2, planned = COALESCE(planned, now()) WHERE id = $1),
		s AS MATERIALIZED (
			SELECT id FROM shard WHERE fanout = $1 AND state IN ('queued', 'ready') ORDER BY id FOR UPDATE)
		UPDATE shard SET state = 'aside' FROM s WHERE shard.id = s.id`, fanout, reason)
	if err != nil {
		return fmt.Errorf("fan-out %d aside: %w", fanout, err)
	}
	return nil
}
