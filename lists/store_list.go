package lists

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// listColumns are what a List is made of, from list l and its domain d.
const listColumns = `l.id, l.domain AS domain_id, d.name AS domain, l.local, l.name, l.description, l.language,
	l.advertised, l.expn, l.post_policy, l.join_policy, l.verp, l.tracking, l.priority,
	l.max_hold_days, l.moderator_notices, l.tell_held, l.created, l.rules::text AS rules,
	coalesce((SELECT string_agg(o.local || '@' || od.name, ', ' ORDER BY od.name, o.local)
		FROM sibling s JOIN list o ON o.id = s.sibling AND o.deleted IS NULL JOIN domain od ON od.id = o.domain
		WHERE s.list = l.id), '') AS siblings`

const listByIDSelect = `SELECT ` + listColumns + ` FROM list l JOIN domain d ON d.id = l.domain
WHERE l.id = $1 AND l.deleted IS NULL`

func listByID(ctx context.Context, q querier, id int64) (List, error) {
	return collectOne[List](ctx, q, listByIDSelect, id)
}

const listIDSelect = `SELECT l.id FROM list l JOIN domain d ON d.id = l.domain
WHERE d.name = $2 AND l.local = $1 AND l.deleted IS NULL`

func listIDByAddress(ctx context.Context, q querier, local, domain string) (id int64, err error) {
	err = q.QueryRow(ctx, listIDSelect, local, domain).Scan(&id)
	return id, err
}

const listInsert = `INSERT INTO list (domain, local, name, description) VALUES ($1, $2, $3, $4) RETURNING id`

func insertList(ctx context.Context, q querier, l List) (id int64, err error) {
	err = q.QueryRow(ctx, listInsert, l.DomainID, l.Local, l.Name, l.Description).Scan(&id)
	return id, err
}

const listUpdate = `UPDATE list SET name = @name, description = @description, advertised = @advertised,
	expn = @expn, post_policy = @post_policy, join_policy = @join_policy, verp = @verp, tracking = @tracking, priority = @priority,
	max_hold_days = @max_hold_days, moderator_notices = @moderator_notices, tell_held = @tell_held, rules = @rules::text::jsonb
WHERE id = @id AND deleted IS NULL`

func updateList(ctx context.Context, q querier, l List) error {
	_, err := q.Exec(ctx, listUpdate, pgx.NamedArgs{
		"id": l.ID, "name": l.Name, "description": l.Description, "advertised": l.Advertised,
		"expn": l.Expn, "post_policy": l.PostPolicy, "join_policy": l.JoinPolicy, "verp": l.VERP, "tracking": l.Tracking, "priority": l.Priority,
		"max_hold_days": l.MaxHoldDays, "moderator_notices": l.ModeratorNotices, "tell_held": l.TellHeld, "rules": l.Rules.text(),
	})
	return err
}

// lockList keeps two changes of one list's settings or roles from undoing each other.
func lockList(ctx context.Context, q querier, id int64) error {
	if _, err := q.Exec(ctx, `SELECT FROM list WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
		return fmt.Errorf("list %d: %w", id, err)
	}
	return nil
}

const listDelete = `
WITH gone AS (UPDATE list SET deleted = now() WHERE id = $1 AND deleted IS NULL),
     asked AS (DELETE FROM join_request WHERE list = $1),
     open AS (DELETE FROM token WHERE list = $1 AND used IS NULL)
UPDATE member SET left_at = now() WHERE nested = $1 AND left_at IS NULL`

func deleteList(ctx context.Context, q querier, id int64) error {
	_, err := q.Exec(ctx, listDelete, id)
	return err
}

// listRange is a page of lists, in the terms of the query.
type listRange struct {
	Domain      string
	AfterDomain string
	AfterLocal  string
	Limit       int
	Mine        bool
}

// The order is that of the unique indexes of domain and list: one domain after the other is walked
// until the page is full. The domain stands in the comparisons and in the order, so that no other
// index offers itself.
const listsSelect = `SELECT ` + listColumns + `
FROM (SELECT id, name FROM domain WHERE name >= @after_domain AND (@domain = '' OR name = @domain) ORDER BY name) d
CROSS JOIN LATERAL (
	SELECT * FROM list
	WHERE deleted IS NULL AND (domain, local) < (d.id + 1, '')
		AND (domain, local) > (d.id, CASE WHEN d.name = @after_domain THEN @after_local ELSE '' END)
		AND (NOT @mine AND (@admin OR advertised)
			OR list.id IN (SELECT role.list FROM role WHERE key = ANY (@keys)
				UNION ALL SELECT member.list FROM member WHERE key = ANY (@keys) AND left_at IS NULL))
	ORDER BY domain, local LIMIT @limit
) l
ORDER BY d.name, l.local
LIMIT @limit`

func selectLists(ctx context.Context, q querier, by Actor, r listRange) ([]List, error) {
	return collect[List](ctx, q, listsSelect, pgx.NamedArgs{
		"domain": r.Domain, "after_domain": r.AfterDomain, "after_local": r.AfterLocal, "limit": r.Limit,
		"mine": r.Mine, "admin": by.Admin, "keys": keysOf(by),
	})
}

func selectNow(ctx context.Context, q querier) (now time.Time, err error) {
	err = q.QueryRow(ctx, `SELECT now()`).Scan(&now)
	return now, err
}
