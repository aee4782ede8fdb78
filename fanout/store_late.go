package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"muster/lists"
)

// hasSettled says whether a node that sends has done so for some time.
func hasSettled(ctx context.Context, q querier, after time.Duration) (yes bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM node WHERE dead IS NULL AND started <= now() - $1::interval)`, after).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("nodes: %w", err)
	}
	return yes, nil
}

// It skips from one list to the next in the index, however many fan-outs each has.
const sqlLateLists = `
		WITH RECURSIVE l(list) AS (
			(SELECT x.list FROM fanout x WHERE x.finished IS NULL AND x.list IS NOT NULL ORDER BY x.list LIMIT 1)
			UNION ALL
			SELECT n.list FROM l CROSS JOIN LATERAL (
				SELECT x.list FROM fanout x WHERE x.finished IS NULL AND x.list > l.list ORDER BY x.list LIMIT 1) n)
		SELECT l.list FROM l WHERE EXISTS (
			SELECT FROM fanout f WHERE f.list = l.list AND f.finished IS NULL AND f.post IS NOT NULL AND f.expires > now() AND f.accepted <= now() - $1::interval)`

// selectLateLists finds the lists that may have something late.
func selectLateLists(ctx context.Context, q querier, after time.Duration) ([]int64, error) {
	ids, err := collectIDs(ctx, q, sqlLateLists, after)
	if err != nil {
		return nil, fmt.Errorf("lists with old mail: %w", err)
	}
	return ids, nil
}

// lateFanout is an open fan-out of a post that was accepted long ago.
type lateFanout struct {
	ID       int64
	Post     uuid.UUID
	Ref      string
	Subject  string
	Accepted time.Time
	Aside    bool
}

// Mail to owners is left out: they would be told by the same way. So is what is held as a whole, and
// what was set aside for so long that it would have bounced by now.
const sqlLateFanouts = `
		SELECT s.fanout AS id, s.post, s.ref, s.subject, s.accepted, s.aside
		FROM (SELECT f.id AS fanout, 0::bigint AS dest, '' AS given_up, p.id AS post, p.ref, p.subject, f.accepted, f.error <> '' AS aside
			FROM fanout f JOIN post p ON p.id = f.post
			WHERE f.list = $1 AND f.finished IS NULL AND f.expires > now() AND f.accepted <= now() - $2::interval AND p.kind = 'post') s
		WHERE NOT ` + heldShard + ` ORDER BY s.accepted, s.fanout LIMIT $3`

func selectLateFanouts(ctx context.Context, q querier, list int64, after time.Duration) ([]lateFanout, error) {
	found, err := collect[lateFanout](ctx, q, sqlLateFanouts, list, after, maxLateFanouts+1)
	if err != nil {
		return nil, fmt.Errorf("old mail of list %d: %w", list, err)
	}
	return found, nil
}

// lateWait is what waits of a fan-out to go to one place.
type lateWait struct {
	Fanout int64
	Dest   string // name of the destination
	Domain string // of the members, where the destination stands for many
	Copies int64
	Again  bool // they were tried before
	Host   string
	Reply  string // the last
	Aside  bool
}

// A copy that waits because of its member's own mailbox (RFC 3463 §3.3: it is disabled, or full) is
// not the list's matter, and is left out. Of those that a shard carries which somebody dropped nothing
// is sent any more.
const sqlLateWaits = `
		WITH first AS (
			SELECT s.fanout, s.dest, '' AS domain, sum(s.size - s.done) AS copies, bool_or(s.state = 'aside') AS aside, '' AS host, '' AS reply
			FROM shard s WHERE s.fanout = ANY($1) AND s.state <> 'done' AND NOT s.retry AND s.given_up = ''
			GROUP BY s.fanout, s.dest),
		again AS (
			SELECT d.fanout, d.dest, COALESCE(m.domain, '') AS domain, count(*) AS copies, COALESCE(bool_or(c.state = 'aside'), false) AS aside,
				(array_agg(d.host ORDER BY d.at DESC, d.member))[1] AS host, (array_agg(d.reply ORDER BY d.at DESC, d.member))[1] AS reply
			FROM (SELECT fanout, dest, member, shard, host, reply, at FROM delivery
				WHERE fanout = ANY($1) AND state = 'deferred' AND status NOT IN ('4.2.1', '4.2.2') LIMIT $2) d
			JOIN destination x ON x.id = d.dest
			LEFT JOIN member m ON x.name = 'mixed' AND m.id = d.member
			LEFT JOIN shard c ON c.id = d.shard
			WHERE COALESCE(c.given_up, '') = ''
			GROUP BY d.fanout, d.dest, COALESCE(m.domain, ''))
		SELECT s.fanout, x.name AS dest, s.domain, s.copies::bigint, s.again, s.aside, s.host,
			CASE WHEN s.reply = '' AND x.failures > 0 THEN x.reply ELSE s.reply END AS reply
		FROM (SELECT *, false AS again, '' AS given_up FROM first UNION ALL SELECT *, true, '' FROM again) s JOIN destination x ON x.id = s.dest
		WHERE s.copies > 0 AND NOT ` + heldShard + ` ORDER BY s.fanout, x.name, s.domain, s.reply`

func selectLateWaits(ctx context.Context, q querier, fanouts []int64) ([]lateWait, error) {
	found, err := collect[lateWait](ctx, q, sqlLateWaits, fanouts, MaxCounted)
	if err != nil {
		return nil, fmt.Errorf("copies of old mail: %w", err)
	}
	return found, nil
}

// selectLateTold are the addresses that a notice of what is late at a list is on its way to.
func selectLateTold(ctx context.Context, q querier, list int64) ([]string, error) {
	type row struct{ Address string }
	found, err := collect[row](ctx, q, `
		SELECT n.address FROM notice n WHERE n.planned IS NULL AND n.list = $1 AND n.kind = $2
		UNION
		SELECT n.address FROM fanout f JOIN notice n ON n.id = f.notice WHERE f.list = $1 AND f.finished IS NULL AND n.kind = $2`,
		list, lists.NoticeLate)
	if err != nil {
		return nil, fmt.Errorf("notices of list %d: %w", list, err)
	}
	told := make([]string, len(found))
	for i, r := range found {
		told[i] = r.Address
	}
	return told, nil
}

// selectReleases are the holds that were lifted not longer ago than a time, of what was written down
// last.
func selectReleases(ctx context.Context, q querier, within time.Duration) ([]Selection, error) {
	found, err := collect[Selection](ctx, q, `
		SELECT COALESCE(a.list, 0) AS list, COALESCE(a.params->>'destination', '') AS destination,
			COALESCE((a.params->>'post')::uuid, `+noPost+`) AS post
		FROM (SELECT action, list, params, at FROM audit ORDER BY id DESC LIMIT $2) a
		WHERE a.action = 'queue.release' AND a.at > now() - $1::interval`, within, MaxCounted)
	if err != nil {
		return nil, fmt.Errorf("holds lifted lately: %w", err)
	}
	return found, nil
}
