package lists

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const postColumns = `id, ref, coalesce(list, 0) AS list_id, kind, state, arrived, accepted, sender, author, message_id, subject,
	size, authenticated, authres, coalesce(held, arrived) AS since,
	CASE WHEN state <> 'held' THEN '' ELSE coalesce((SELECT coalesce(nullif(d.reason, ''), 'by-hand') FROM decision d
		WHERE d.post = post.id AND d.action = 'hold' ORDER BY d.n DESC LIMIT 1), reason) END AS held_for,
	CASE WHEN ` + claimOpen + ` THEN claimed_by ELSE '' END AS claimed_by,
	CASE WHEN ` + claimOpen + ` THEN claimed END AS claimed, coalesce(edits, '[]') AS edits`

const (
	postByRefSelect = `SELECT ` + postColumns + ` FROM post WHERE ref = $1`
	postByIDSelect  = `SELECT ` + postColumns + ` FROM post WHERE id = $1`
	postLock        = postByIDSelect + ` FOR UPDATE`
)

func selectPostByRef(ctx context.Context, q querier, ref string) (Post, error) {
	return collectOne[Post](ctx, q, postByRefSelect, ref)
}

func selectPostByID(ctx context.Context, q querier, id uuid.UUID) (Post, error) {
	return collectOne[Post](ctx, q, postByIDSelect, id)
}

func lockPost(ctx context.Context, q querier, id uuid.UUID) (Post, error) {
	return collectOne[Post](ctx, q, postLock, id)
}

// The list stands in the comparisons and in the order, as in membersByKey: "list = @list" would let
// PostgreSQL walk the posts of all lists back to those of a list where nothing was said for years.
// Held posts are few among many and have an index of their own, which is used only where the
// statement says so in its text.
const (
	postsSelect = `SELECT ` + postColumns + ` FROM post
WHERE (list, id) < (@list, @before::uuid) AND list >= @list AND kind = 'post' AND (@state = '' OR state = @state)
ORDER BY list DESC, id DESC LIMIT @limit`

	heldSelect = `SELECT ` + postColumns + ` FROM post
WHERE (list, id) < (@list, @before::uuid) AND list >= @list AND kind = 'post' AND state = 'held'
ORDER BY list DESC, id DESC LIMIT @limit`
)

func selectPosts(ctx context.Context, q querier, listID int64, query PostQuery, limit int) ([]Post, error) {
	sql := postsSelect
	args := pgx.NamedArgs{"list": listID, "before": query.Before, "limit": limit}
	if query.Before == uuid.Nil {
		args["before"] = uuid.Max
	}
	if query.State == PostHeld {
		sql = heldSelect
	} else {
		args["state"] = query.State
	}
	return collect[Post](ctx, q, sql, args)
}

// What the rules decided is with the post, and the first.
const decisionsSelect = `SELECT at, actor, action, reason, trace FROM (
	SELECT arrived AS at, '` + ActorRules + `' AS actor, ruled AS action, reason, trace, -1 AS n FROM post WHERE id = $1
	UNION ALL SELECT at, actor, action, reason, '[]', n FROM decision WHERE post = $1) d ORDER BY n`

func selectDecisions(ctx context.Context, q querier, post uuid.UUID) ([]Decision, error) {
	return collect[Decision](ctx, q, decisionsSelect, post)
}

const decisionInsert = `INSERT INTO decision (post, n, actor, action, reason)
SELECT @post, coalesce(max(n) + 1, 0), @actor, @action, @reason FROM decision WHERE post = @post`

func insertDecision(ctx context.Context, q querier, post uuid.UUID, actor string, r ruling) error {
	_, err := q.Exec(ctx, decisionInsert, pgx.NamedArgs{"post": post, "actor": actor, "action": r.action, "reason": r.reason})
	return err
}

const postStateUpdate = `UPDATE post SET state = $2, accepted = CASE WHEN $2 = 'accepted' THEN now() END,
	held = CASE WHEN $2 = 'held' THEN now() ELSE held END, claimed_by = NULL, claimed = NULL
WHERE id = $1 RETURNING ` + postColumns

func updatePostState(ctx context.Context, q querier, id uuid.UUID, state string) (Post, error) {
	return collectOne[Post](ctx, q, postStateUpdate, id, state)
}

// markAuthenticated notes that the author of a post proved to be who From says.
func markAuthenticated(ctx context.Context, q querier, id uuid.UUID) error {
	_, err := q.Exec(ctx, `UPDATE post SET authenticated = true WHERE id = $1`, id)
	return err
}

// forgetSeen frees the Message-ID of a post, if it is this post that holds it.
func forgetSeen(ctx context.Context, q querier, p Post) error {
	_, err := q.Exec(ctx, `DELETE FROM seen WHERE list = $1 AND id_hash = $2 AND post = $3`, p.ListID, PostIDHash(p.Kind, p.MessageID), p.ID)
	return err
}

const pieceSelect = `SELECT r.bytes FROM post_raw r JOIN post p ON p.id = r.post
WHERE r.post = $1 AND r.n = $2 AND coalesce(p.list, 0) = $3`

// selectPiece finds the n-th piece of a post that is of the list it is said to be of.
func selectPiece(ctx context.Context, q querier, p Post, n int) (piece []byte, err error) {
	err = q.QueryRow(ctx, pieceSelect, p.ID, n, p.ListID).Scan(&piece)
	return piece, err
}
