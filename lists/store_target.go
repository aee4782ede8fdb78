package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// targetRow is a served domain with a list of it, if there is one of the name: without, its ID is 0;
// and what the sender is to the list.
type targetRow struct {
	List
	Member     bool
	Moderation string
	New        bool
	Moderates  bool
	Trusted    bool
}

// Some recipients in one statement, which walks the indexes once for each: the LIMITs keep the planner
// from reading a table whole, whatever it believes of its size. The arrays are behind a SELECT for it to
// plan once: where it sees how long they are, it plans each time, which takes longer than the answer.
const targetsSelect = `SELECT q.n, coalesce(l.id, 0) AS id, d.id AS domain_id, d.name AS domain, coalesce(l.local, '') AS local,
	coalesce(l.name, '') AS name, coalesce(l.description, '') AS description, coalesce(l.language, '') AS language,
	coalesce(l.advertised, false) AS advertised, coalesce(l.expn, '') AS expn, coalesce(l.post_policy, '') AS post_policy,
	coalesce(l.join_policy, '') AS join_policy, coalesce(l.verp, 0) AS verp, coalesce(l.created, d.created) AS created,
	coalesce(l.rules::text, '') AS rules, m.id IS NOT NULL AS member, coalesce(m.moderation, '') AS moderation, ` + isNew + ` AS new,
	coalesce((SELECT true FROM role r WHERE r.list = l.id AND r.key = q.sender LIMIT 1), false) AS moderates,
	CASE WHEN l.trusts THEN coalesce((SELECT true FROM trusted t WHERE t.list = l.id AND t.key = q.sender LIMIT 1), false) ELSE false END AS trusted
FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::text[])) WITH ORDINALITY AS q(domain, local, sender, n)
	CROSS JOIN LATERAL (SELECT * FROM domain WHERE name = q.domain LIMIT 1) d
	LEFT JOIN LATERAL (SELECT * FROM list WHERE domain = d.id AND list.local = q.local AND deleted IS NULL LIMIT 1) l ON true
	LEFT JOIN LATERAL (SELECT id, moderation, released, joined FROM member
		WHERE list = l.id AND key = q.sender AND left_at IS NULL LIMIT 1) m ON true`

// selectTargets finds what recipients are, and leaves those of domains that are not served as they were.
func selectTargets(ctx context.Context, q querier, all []*targetQuestion) error {
	domains, locals, senders := make([]string, len(all)), make([]string, len(all)), make([]string, len(all))
	for i, one := range all {
		domains[i], locals[i], senders[i] = one.domain, one.local, one.sender
	}
	rows, err := q.Query(ctx, targetsSelect, domains, locals, senders)
	if err != nil {
		return err
	}
	var n int
	var row targetRow
	l := &row.List
	into := []any{&n, &l.ID, &l.DomainID, &l.Domain, &l.Local, &l.Name, &l.Description, &l.Language, &l.Advertised, &l.Expn,
		&l.PostPolicy, &l.JoinPolicy, &l.VERP, &l.Created,
		&l.Rules, &row.Member, &row.Moderation, &row.New, &row.Moderates, &row.Trusted}
	_, err = pgx.ForEachRow(rows, into, func() error {
		all[n-1].found = row
		return nil
	})
	return err
}

// The first row is the configured domain if it is served, else the host's; two rows say that there
// are several.
const defaultDomainSelect = `SELECT id, name, created FROM domain
ORDER BY (name = $1) DESC, (name = $2) DESC, id LIMIT 2`
