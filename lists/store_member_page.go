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
// counts are ordered so that they walk it too, instead of looking for the first rows anywhere.
const (
	membersByKey = `SELECT ` + memberColumns + ` FROM member
WHERE list = @list AND left_at IS NULL AND key >= @from AND key < @to AND key > @key
ORDER BY key LIMIT @limit`

	membersByKeyBack = `SELECT ` + memberColumns + ` FROM member
WHERE list = @list AND left_at IS NULL AND key >= @from AND key < @to AND key < @key
ORDER BY key DESC LIMIT @limit`

	membersByDomain = `SELECT ` + memberColumns + ` FROM member
WHERE list = @list AND left_at IS NULL AND domain >= @from AND domain < @to AND (domain, key) > (@domain, @key)
ORDER BY domain, key LIMIT @limit`

	membersByDomainBack = `SELECT ` + memberColumns + ` FROM member
WHERE list = @list AND left_at IS NULL AND domain >= @from AND domain < @to AND (domain, key) < (@domain, @key)
ORDER BY domain DESC, key DESC LIMIT @limit`

	membersCountByKey = `SELECT count(*) FROM (SELECT FROM member
WHERE list = @list AND left_at IS NULL AND key >= @from AND key < @to ORDER BY key LIMIT @limit) m`

	membersCountByDomain = `SELECT count(*) FROM (SELECT FROM member
WHERE list = @list AND left_at IS NULL AND domain >= @from AND domain < @to ORDER BY domain, key LIMIT @limit) m`
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
