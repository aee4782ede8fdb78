package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists"
)

// A message that was posted to several lists which are siblings reaches each member of them once. Posts
// have an order, (accepted, id), that never changes once they are accepted; a post leaves out whom an
// earlier post of the same message reaches, and never the other way round. So of the posts that could
// bring somebody a copy the earliest does: no two leave somebody out for each other's sake, and a row of
// posts that each rely on the one before ends at one that sends.
//
// Nothing is waited for. Where the earlier of two posts is not committed yet when the later one is
// planned (its transaction began before and ended after), the later one does not see it, and the earlier
// one does not look at what came after it: the members of both get two copies, and nobody gets none. The
// same holds for a post that is held: it has no moment of acceptance, leaves nobody out of another, and
// once it is released it is the last in the order.
//
// What can still take a copy away from who was left to a sibling is what would take any planned copy
// away: they leave the sibling, or stop its mail, before it comes, or somebody drops it from the queue.

// The row of seen is found by its key. The same Message-ID is not enough for the same message: author and
// body must agree too, or a forged post could keep a real one from people.
const sqlSaveBeside = `
		WITH kin AS (
			SELECT sibling AS list FROM sibling WHERE list = @list
			UNION SELECT list FROM sibling WHERE sibling = @list),
		me AS (
			SELECT k.body_hash FROM seen k WHERE k.list = @list AND k.id_hash = @hash AND k.post = @post::uuid)
		UPDATE fanout f SET beside = ARRAY(
			SELECT p.id FROM me, kin JOIN seen k ON k.list = kin.list AND k.id_hash = @hash JOIN post p ON p.id = k.post
			WHERE k.body_hash = me.body_hash AND p.list = kin.list AND p.kind = 'post' AND p.state = 'accepted' AND p.author = @author
				AND (p.accepted, p.id) < (@accepted, @post::uuid)
			ORDER BY p.accepted, p.id)
		WHERE f.id = @fanout RETURNING f.beside`

// saveBeside finds the earlier posts of the same message to siblings, and notes them at its fan-out.
func saveBeside(ctx context.Context, tx pgx.Tx, fanout int64, p *unplannedPost) (beside []uuid.UUID, err error) {
	err = tx.QueryRow(ctx, sqlSaveBeside, pgx.NamedArgs{
		"fanout": fanout, "list": p.List, "post": p.ID, "hash": lists.PostIDHash(p.Kind, p.Message), "author": p.Author, "accepted": p.Accepted,
	}).Scan(&beside)
	if err != nil {
		return nil, fmt.Errorf("siblings: %w", err)
	}
	return beside, nil
}

// reach is the lists whose members a post is sent to, nearest first.
type reach struct {
	Post     uuid.UUID
	List     int64
	Accepted time.Time
	Lists    []int64
	Planned  bool
}

// selectReaches finds whom posts reach: nobody, where one was dropped before it was begun and has no lists.
// One that was set aside, or of which a part was dropped, is left out: who would have got a copy from it
// gets one from its siblings.
func selectReaches(ctx context.Context, q querier, posts []uuid.UUID) ([]reach, error) {
	if len(posts) == 0 {
		return nil, nil
	}
	found, err := collect[reach](ctx, q, `
		SELECT p.id AS post, p.list, p.accepted, COALESCE(f.lists, '{}') AS lists, f.id IS NOT NULL AS planned
		FROM post p LEFT JOIN fanout f ON f.post = p.id
		WHERE p.id = ANY($1) AND p.state = 'accepted' AND (f.id IS NULL
			OR f.error = '' AND (f.planned IS NULL OR f.plan_list > cardinality(f.lists))
				AND NOT EXISTS (SELECT FROM shard s WHERE s.fanout = f.id AND s.given_up <> ''))
		ORDER BY p.accepted, p.id`, posts)
	if err != nil {
		return nil, fmt.Errorf("posts to siblings: %w", err)
	}
	for i := range found {
		if r := &found[i]; !r.Planned { // its turn comes: another post of its list is before it
			if r.Lists, err = selectNested(ctx, q, r.List, r.Accepted); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// Whoever gets a copy from one of the reaches: an active member of one of its lists when it was accepted
// and still, who was not on vacation then, whose word is not that of a nearer list of the reach, and who has not left one of them since.
const sqlNotBeside = `
			AND NOT EXISTS (
				SELECT FROM unnest(@reach::int[], @place::int[], @reached::bigint[], @since::timestamptz[]) AS b(reach, place, list, accepted)
				JOIN member o ON o.list = b.list AND o.key = m.key AND o.left_at IS NULL
				WHERE o.state = 'active' AND o.mode = 'each' AND o.joined <= b.accepted AND (o.own_posts OR o.key <> @author)
					AND (o.addressed_posts OR o.key <> ALL(@addressed::text[]))
					AND (o.away_from IS NULL OR (b.accepted AT TIME ZONE 'UTC')::date NOT BETWEEN o.away_from AND o.away_until)
					AND NOT EXISTS (
						SELECT FROM unnest(@reach::int[], @place::int[], @reached::bigint[]) AS c(reach, place, list)
						JOIN member n ON n.list = c.list AND n.key = m.key AND n.left_at IS NULL
						WHERE c.reach = b.reach AND c.place < b.place AND n.joined <= b.accepted)
					AND NOT EXISTS (
						SELECT FROM unnest(@reach::int[], @reached::bigint[]) AS c(reach, list)
						JOIN member n ON n.list = c.list AND n.key = m.key AND n.left_at > b.accepted
						WHERE c.reach = b.reach))`

// addReaches adds what sqlNotBeside asks for: each list of each reach, and its place there.
func addReaches(args pgx.NamedArgs, reaches []reach) {
	var of, place []int32
	var list []int64
	var since []time.Time
	for i, r := range reaches {
		for j, id := range r.Lists {
			of, place = append(of, int32(i)), append(place, int32(j))
			list, since = append(list, id), append(since, r.Accepted)
		}
	}
	args["reach"], args["place"], args["reached"], args["since"] = of, place, list, since
}
