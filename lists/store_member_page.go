package lists

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// memberRange is a page of members in the order of an index: by key, or for a search by domain by
// domain and key. Bounds are exclusive; "" is none below, and endOfText is none above.
type memberRange struct {
	List     int64
	From, To string // of the key or of the domain, From inclusive, To exclusive
	Domain   string // of the cursor, for a search by domain
	Key      string // of the cursor
	Limit    int
}

// Each statement is one walk of an index, forwards or backwards: member_key or member_domain. The
// list stands in the comparisons and in the order, as "list = @list" would not, so that no other
// index offers itself: whatever the planner believes of the rows, a page reads what it shows.
const (
	membersByKey = `SELECT ` + memberColumns + ` FROM member
WHERE left_at IS NULL AND (list, key) >= (@list, @from) AND (list, key) < (@list, @to) AND (list, key) > (@list, @key)
ORDER BY list, key LIMIT @limit`

	membersByKeyBack = `SELECT ` + memberColumns + ` FROM member
WHERE left_at IS NULL AND (list, key) >= (@list, @from) AND (list, key) < (@list, @to) AND (list, key) < (@list, @key)
ORDER BY list DESC, key DESC LIMIT @limit`

	membersByDomain = `SELECT ` + memberColumns + ` FROM member
WHERE left_at IS NULL AND (list, domain) >= (@list, @from) AND (list, domain) < (@list, @to)
	AND (list, domain, key) > (@list, @domain, @key)
ORDER BY list, domain, key LIMIT @limit`

	membersByDomainBack = `SELECT ` + memberColumns + ` FROM member
WHERE left_at IS NULL AND (list, domain) >= (@list, @from) AND (list, domain) < (@list, @to)
	AND (list, domain, key) < (@list, @domain, @key)
ORDER BY list DESC, domain DESC, key DESC LIMIT @limit`

	membersCountByKey = `SELECT count(*) FROM (SELECT FROM member
WHERE left_at IS NULL AND (list, key) >= (@list, @from) AND (list, key) < (@list, @to)
ORDER BY list, key LIMIT @limit) m`

	membersCountByDomain = `SELECT count(*) FROM (SELECT FROM member
WHERE left_at IS NULL AND (list, domain) >= (@list, @from) AND (list, domain) < (@list, @to)
ORDER BY list, domain, key LIMIT @limit) m`
)

func (r memberRange) args() pgx.NamedArgs {
	return pgx.NamedArgs{"list": r.List, "from": r.From, "to": r.To, "domain": r.Domain, "key": r.Key, "limit": r.Limit}
}

func selectMembers(ctx context.Context, q querier, sql string, r memberRange) ([]Member, error) {
	return collect[Member](ctx, q, sql, r.args())
}

func countMembers(ctx context.Context, q querier, sql string, r memberRange) (n int, err error) {
	err = q.QueryRow(ctx, sql, r.args()).Scan(&n)
	return n, err
}
