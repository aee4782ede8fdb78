package lists

// targetRow is a served domain with a list of it, if there is one of the name: without, its ID is 0;
// and what the sender is to the list.
type targetRow struct {
	List
	Member    bool
	Moderates bool
}

const targetSelect = `SELECT coalesce(l.id, 0) AS id, d.id AS domain_id, d.name AS domain, coalesce(l.local, '') AS local,
	coalesce(l.name, '') AS name, coalesce(l.description, '') AS description, coalesce(l.language, '') AS language,
	coalesce(l.advertised, false) AS advertised, coalesce(l.expn, '') AS expn, coalesce(l.post_policy, '') AS post_policy,
	coalesce(l.join_policy, '') AS join_policy, coalesce(l.verp, 0) AS verp, coalesce(l.created, d.created) AS created,
	EXISTS (SELECT FROM member m WHERE m.list = l.id AND m.key = $3 AND m.left_at IS NULL) AS member,
	EXISTS (SELECT FROM role r WHERE r.list = l.id AND r.key = $3) AS moderates
FROM domain d LEFT JOIN list l ON l.domain = d.id AND l.local = $2 AND l.deleted IS NULL
WHERE d.name = $1`

// The first row is the configured domain if it is served, else the host's; two rows say that there
// are several.
const defaultDomainSelect = `SELECT id, name, created FROM domain
ORDER BY (name = $1) DESC, (name = $2) DESC, id LIMIT 2`
