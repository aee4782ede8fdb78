package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// dueCopy is a deferred copy whose time has come.
type dueCopy struct {
	Fanout int64
	Member int64
	Dest   int64
}

// lockDue takes deferred copies that are due, ordered by fan-out and destination.
func lockDue(ctx context.Context, tx pgx.Tx, limit int) ([]dueCopy, error) {
	due, err := collect[dueCopy](ctx, tx, `
		SELECT fanout, member, dest FROM (
			SELECT d.fanout, d.member, d.dest FROM delivery d
			WHERE d.state = 'deferred' AND d.shard IS NULL AND d.due <= now()
				AND EXISTS (SELECT FROM fanout f WHERE f.id = d.fanout AND f.error = '')
			ORDER BY d.due LIMIT $1 FOR UPDATE OF d SKIP LOCKED) AS locked
		ORDER BY fanout, dest, member`, limit)
	if err != nil {
		return nil, fmt.Errorf("due copies: %w", err)
	}
	return due, nil
}

// shortenWaits makes deferred copies due whose time is further away than any wait: it was reckoned
// when the clock was ahead, and was put right since.
func shortenWaits(ctx context.Context, q querier) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH far AS MATERIALIZED (
			SELECT d.fanout, d.member FROM delivery d
			WHERE d.state = 'deferred' AND d.shard IS NULL AND d.due > now() + $1::interval
			ORDER BY d.due LIMIT 1000 FOR UPDATE OF d SKIP LOCKED)
		UPDATE delivery d SET due = now() FROM far WHERE d.fanout = far.fanout AND d.member = far.member`, longestWait)
	if err != nil {
		return 0, fmt.Errorf("copies due too late: %w", err)
	}
	return tag.RowsAffected(), nil
}

// markCarried notes in the deliveries which shard carries each next attempt.
func markCarried(ctx context.Context, tx pgx.Tx, n *newShards) error {
	carriers := make([]int64, 0, len(n.members))
	for i, size := range n.sizes {
		for range size {
			carriers = append(carriers, n.ids[i])
		}
	}
	_, err := tx.Exec(ctx, `
		UPDATE delivery d SET shard = c.shard
		FROM unnest($2::bigint[], $3::bigint[]) AS c(member, shard)
		WHERE d.fanout = $1 AND d.member = c.member`, n.fanout, n.members, carriers)
	if err != nil {
		return fmt.Errorf("carriers of fan-out %d: %w", n.fanout, err)
	}
	return nil
}

// expireDeliveries bounces deferred copies whose fan-out has no time left.
func expireDeliveries(ctx context.Context, q querier) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH late AS MATERIALIZED (
			SELECT d.fanout, d.member FROM delivery d JOIN fanout f ON f.id = d.fanout
			WHERE d.state = 'deferred' AND d.shard IS NULL AND d.due <= now() AND f.expires <= now()
			ORDER BY d.fanout, d.member LIMIT 1000 FOR UPDATE OF d SKIP LOCKED),
		failed AS (
			UPDATE delivery d SET state = 'failed', at = now() FROM late
			WHERE d.fanout = late.fanout AND d.member = late.member
			RETURNING d.member, d.status, d.reply)
		INSERT INTO bounce (list, member, source, hard, status, text)
		SELECT m.list, m.id, 'expired', false, failed.status, failed.reply
		FROM failed JOIN member m ON m.id = failed.member`)
	if err != nil {
		return 0, fmt.Errorf("late copies: %w", err)
	}
	return tag.RowsAffected(), nil
}

// expireShards bounces who is left to do in shards that nobody could send for as long as their
// fan-out had time: their destination was down. Where it was not, it was Muster that was, or the clock
// has stepped: they have their first attempt to come.
func expireShards(ctx context.Context, q querier) (int64, error) {
	var n int64
	err := q.QueryRow(ctx, `
		WITH late AS MATERIALIZED (
			SELECT s.id, s.fanout, s.dest, s.done FROM shard s JOIN fanout f ON f.id = s.fanout
			WHERE s.state = 'ready' AND f.finished IS NULL AND f.expires <= now()
				AND EXISTS (SELECT FROM destination x WHERE x.id = s.dest AND x.failures > 0)
			ORDER BY s.id LIMIT 20 FOR UPDATE OF s SKIP LOCKED),
		who AS (
			SELECT l.fanout, l.dest, u.member, x.reply FROM late l
			JOIN shard_members sm ON sm.shard = l.id JOIN destination x ON x.id = l.dest
			CROSS JOIN LATERAL unnest(sm.members[l.done + 1 :]) AS u(member)),
		failed AS (
			INSERT INTO delivery AS d (fanout, member, dest, state, attempts, due, status, reply)
			SELECT fanout, member, dest, 'failed', 0, now(), '4.4.1', reply FROM who
			ON CONFLICT (fanout, member) DO UPDATE SET state = 'failed', shard = NULL, at = now()
			RETURNING member, status, reply),
		bounced AS (
			INSERT INTO bounce (list, member, source, hard, status, text)
			SELECT m.list, m.id, 'expired', false, failed.status, failed.reply
			FROM failed JOIN member m ON m.id = failed.member WHERE m.left_at IS NULL),
		closed AS (
			UPDATE shard s SET state = 'done', done = s.size, epoch = s.epoch + 1 FROM late WHERE s.id = late.id)
		SELECT count(*) FROM late`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("late shards: %w", err)
	}
	return n, nil
}

// openFanout is where a fan-out stands among those that are not finished: by the end of its time.
type openFanout struct {
	expires time.Time
	id      int64
}

// sqlClose closes the fan-outs of a page that are through. Each is looked up by itself, with a limit, so that
// PostgreSQL goes to it and to what is left of it in an index.
const sqlClose = `
		through AS MATERIALIZED (
			SELECT t.* FROM page p CROSS JOIN LATERAL (
				SELECT f.id, f.post, f.notice FROM fanout f
				WHERE f.id = p.id AND f.finished IS NULL AND f.planned IS NOT NULL AND f.error = ''
					AND (SELECT s.id FROM shard s WHERE s.fanout = f.id AND s.state <> 'done' LIMIT 1) IS NULL
					AND (SELECT d.member FROM delivery d WHERE d.fanout = f.id AND d.state = 'deferred' LIMIT 1) IS NULL
				LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) t),
		let AS (
			DELETE FROM hold h USING through WHERE h.post = through.post),
		forgotten AS (
			UPDATE notice n SET params = '{}' FROM through WHERE n.id = through.notice),
		closed AS (
			UPDATE fanout f SET finished = now(), delivered = t.sent, dropped = t.dropped,
				bounced = GREATEST(f.copies - t.sent - t.dropped, 0)
			FROM (
				SELECT through.id, c.sent, c.dropped FROM through CROSS JOIN LATERAL (
					SELECT COALESCE(sum(s.sent), 0) AS sent, COALESCE(sum(s.dropped), 0) AS dropped
					FROM shard s WHERE s.fanout = through.id) c) t
			WHERE f.id = t.id)`

const sqlFinish = `
		WITH page AS MATERIALIZED (
			SELECT f.id, f.expires FROM fanout f
			WHERE f.finished IS NULL AND f.expires >= $1 AND (f.expires, f.id) > ($1, $2)
			ORDER BY f.expires, f.id LIMIT $3),` + sqlClose + `
		SELECT expires, id FROM page ORDER BY expires, id OFFSET $3 - 1`

const sqlFinishThese = `
		WITH page AS MATERIALIZED (SELECT DISTINCT u.id FROM unnest($1::bigint[]) AS u(id) ORDER BY u.id),` + sqlClose + `
		SELECT count(*) FROM through`

// Tables that were empty when a plan was made and kept are read from end to end for each fan-out, a thousand times
// a sweep, when they have grown. So these are planned each time, by how large the tables are, which costs a
// millisecond.
const planEachTime = pgx.QueryExecModeCacheDescribe

// finishFanouts closes the books on fan-outs of which nothing is left to do, among the next limit that
// are open, and returns the last of these; zero: they were the last there are. The copies that were not
// delivered, and whose members had not left, have bounced: nobody needs to count them. What a notice said is
// forgotten then: there are links in it that sign in, confirm or leave.
func finishFanouts(ctx context.Context, q querier, after openFanout, limit int) (last openFanout, err error) {
	err = q.QueryRow(ctx, sqlFinish, planEachTime, after.expires, after.id, limit).Scan(&last.expires, &last.id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return openFanout{}, fmt.Errorf("finished fan-outs: %w", err)
	}
	return last, nil
}

// finishThese is finishFanouts for some of which nothing may be left to do. It returns how many it closed.
func finishThese(ctx context.Context, q querier, fanouts []int64) (n int64, err error) {
	if err := q.QueryRow(ctx, sqlFinishThese, planEachTime, fanouts).Scan(&n); err != nil {
		return 0, fmt.Errorf("fan-outs that may be finished: %w", err)
	}
	return n, nil
}

// pruneFanouts deletes notices and, of posts, the shards, deliveries, reports and journals whose fan-outs were
// finished before a moment, and node rows that died before it. The counts of posts stay.
func pruneFanouts(ctx context.Context, q querier, before time.Time) (int64, error) {
	notices, err := pruneNotices(ctx, q, before)
	if err != nil {
		return 0, err
	}
	tag, err := q.Exec(ctx, `
		WITH old AS (
			SELECT f.id FROM fanout f WHERE f.finished < $1
				AND EXISTS (SELECT FROM shard s WHERE s.fanout = f.id)
			ORDER BY f.finished LIMIT 100),
		d AS (DELETE FROM delivery USING old WHERE delivery.fanout = old.id),
		r AS (DELETE FROM report USING old WHERE report.fanout = old.id),
		t AS (DELETE FROM trouble WHERE until < now() - interval '1 hour'),
		h AS (DELETE FROM fanout_share USING old WHERE fanout_share.fanout = old.id),
		n AS (DELETE FROM node WHERE dead < $1
			AND NOT EXISTS (SELECT FROM shard s WHERE s.node = node.id AND s.state = 'claimed'))
		DELETE FROM shard USING old WHERE shard.fanout = old.id`, before)
	if err != nil {
		return 0, fmt.Errorf("old fan-outs: %w", err)
	}
	return notices + tag.RowsAffected(), nil
}

// pruneNotices deletes notices whose fan-out was finished before a moment, and that with all that
// hangs on it: it counted one copy. That it refers to the notice is looked at when both are gone.
func pruneNotices(ctx context.Context, q querier, before time.Time) (int64, error) {
	tag, err := q.Exec(ctx, `
		WITH old AS (
			SELECT id FROM fanout WHERE finished < $1 AND notice IS NOT NULL
			ORDER BY finished LIMIT 1000 FOR UPDATE SKIP LOCKED),
		f AS (DELETE FROM fanout USING old WHERE fanout.id = old.id RETURNING fanout.notice)
		DELETE FROM notice USING f WHERE notice.id = f.notice`, before)
	if err != nil {
		return 0, fmt.Errorf("old notices: %w", err)
	}
	return tag.RowsAffected(), nil
}
