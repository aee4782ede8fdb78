package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const memberColumns = `id, list AS list_id, key, address, name, domain, nested, mode, state, hidden, own_posts, language, score, joined,
	addressed_posts, away_from, away_until, moderation, released`

const memberInsert = `
INSERT INTO member (list, key, address, name, domain, nested, mode, state, hidden, own_posts, language, addressed_posts, consent, consent_from)
VALUES (@list, @key, @address, @name, @domain, @nested, @mode, @state, @hidden, @own_posts, @language, @addressed_posts, @consent, @consent_from)
ON CONFLICT (list, key) WHERE left_at IS NULL DO NOTHING
RETURNING ` + memberColumns

// insertMember returns pgx.ErrNoRows for somebody who is a member already.
func insertMember(ctx context.Context, q querier, m Member, consent consentGiven) (Member, error) {
	return collectOne[Member](ctx, q, memberInsert, pgx.NamedArgs{
		"list": m.ListID, "key": m.Key, "address": m.Address, "name": m.Name, "domain": m.Domain, "nested": m.Nested,
		"mode": m.Mode, "state": m.State, "hidden": m.Hidden, "own_posts": m.OwnPosts, "language": m.Language, "addressed_posts": m.AddressedPosts,
		"consent": consent.how, "consent_from": consent.from,
	})
}

const memberSelect = `SELECT ` + memberColumns + ` FROM member WHERE list = $1 AND key = $2 AND left_at IS NULL`

func selectMember(ctx context.Context, q querier, listID int64, key string) (Member, error) {
	return collectOne[Member](ctx, q, memberSelect, listID, key)
}

const membersOfSelect = `SELECT ` + memberColumns + ` FROM member WHERE list = $1 AND key = ANY($2) AND left_at IS NULL ORDER BY key`

// selectMembersOf finds the memberships of some addresses, as keys.
func selectMembersOf(ctx context.Context, q querier, listID int64, keys []string) ([]Member, error) {
	return collect[Member](ctx, q, membersOfSelect, listID, keys)
}

const memberByIDSelect = `SELECT ` + memberColumns + ` FROM member WHERE id = $1`

// selectMemberByID finds a membership although it may have ended.
func selectMemberByID(ctx context.Context, q querier, id int64) (Member, error) {
	return collectOne[Member](ctx, q, memberByIDSelect, id)
}

const memberUpdate = `UPDATE member SET name = @name, mode = @mode, state = @state, hidden = @hidden, own_posts = @own_posts, score = @score,
	addressed_posts = @addressed_posts, away_from = @away_from, away_until = @away_until, moderation = @moderation
WHERE id = @id`

func updateMember(ctx context.Context, q querier, m Member) error {
	_, err := q.Exec(ctx, memberUpdate, pgx.NamedArgs{
		"id": m.ID, "name": m.Name, "mode": m.Mode, "state": m.State, "hidden": m.Hidden, "own_posts": m.OwnPosts, "score": m.Score,
		"addressed_posts": m.AddressedPosts, "away_from": m.AwayFrom, "away_until": m.AwayUntil, "moderation": m.Moderation,
	})
	return err
}

const memberLock = memberSelect + ` FOR NO KEY UPDATE`

func lockMember(ctx context.Context, q querier, listID int64, key string) (Member, error) {
	return collectOne[Member](ctx, q, memberLock, listID, key)
}

const memberLeave = `UPDATE member SET left_at = now() WHERE list = $1 AND key = $2 AND left_at IS NULL RETURNING ` + memberColumns

// endMember ends a membership; pgx.ErrNoRows if there is none.
func endMember(ctx context.Context, q querier, listID int64, key string) (Member, error) {
	return collectOne[Member](ctx, q, memberLeave, listID, key)
}

const membersNest = `UPDATE member SET nested = $1 WHERE key = $2 AND left_at IS NULL`

// nestMembers marks the memberships of an address that has become a list's.
func nestMembers(ctx context.Context, q querier, listID int64, key string) error {
	_, err := q.Exec(ctx, membersNest, listID, key)
	return err
}

const tombstoneSelect = `SELECT key_hash, reason, at FROM tombstone WHERE list = $1 AND key_hash = $2`

func selectTombstone(ctx context.Context, q querier, listID int64, hash []byte) (tombstone, error) {
	return collectOne[tombstone](ctx, q, tombstoneSelect, listID, hash)
}

// A ban outlasts a leave.
const tombstoneInsert = `INSERT INTO tombstone (list, key_hash, reason) VALUES ($1, $2, $3)
ON CONFLICT (list, key_hash) DO UPDATE SET reason = excluded.reason, at = now() WHERE tombstone.reason <> 'banned'`

func insertTombstone(ctx context.Context, q querier, listID int64, hash []byte, reason string) error {
	_, err := q.Exec(ctx, tombstoneInsert, listID, hash, reason)
	return err
}

const leftForget = `
WITH t AS (DELETE FROM tombstone WHERE list = $1 AND key_hash = $3)
DELETE FROM join_request WHERE list = $1 AND key = $2`

// forgetLeft drops what stood in the way of a membership or waited for it.
func forgetLeft(ctx context.Context, q querier, listID int64, key string) error {
	_, err := q.Exec(ctx, leftForget, listID, key, keyHash(key))
	return err
}

const memberReleased = `UPDATE member SET released = released + 1 WHERE list = $1 AND key = $2 AND left_at IS NULL AND released < $3`

// countReleased notes that a post of a new member was let go, as long as it matters.
func countReleased(ctx context.Context, q querier, listID int64, key string, most int) error {
	_, err := q.Exec(ctx, memberReleased, listID, key, most)
	return err
}
