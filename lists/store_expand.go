package lists

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

const listsByNameSelect = `SELECT ` + listColumns + ` FROM list l JOIN domain d ON d.id = l.domain
WHERE l.local = @local AND l.deleted IS NULL
	AND (@admin OR l.advertised OR l.expn = 'anyone'
		OR l.id IN (SELECT list FROM role WHERE key = ANY (@keys)
			UNION ALL SELECT list FROM member WHERE key = ANY (@keys) AND left_at IS NULL))
ORDER BY d.name
LIMIT 50`

// selectListsByName finds the lists of a name in all domains that the actor may know of.
func selectListsByName(ctx context.Context, q querier, by Actor, local string) ([]List, error) {
	return collect[List](ctx, q, listsByNameSelect, pgx.NamedArgs{"local": local, "admin": by.Admin, "keys": keysOf(by)})
}

const visibleMemberSelect = `SELECT ` + memberColumns + ` FROM member
WHERE key = @key AND left_at IS NULL
	AND (@admin OR @trusted AND NOT hidden
		OR list IN (SELECT list FROM role WHERE key = ANY (@keys) AND role = 'owner'))
ORDER BY name = '', id
LIMIT 1`

// selectVisibleMember finds a membership of an address that the asker may see, one with a name if
// there is one; pgx.ErrNoRows if there is none.
func selectVisibleMember(ctx context.Context, q querier, who Asker, key string) (Member, error) {
	return collectOne[Member](ctx, q, visibleMemberSelect, pgx.NamedArgs{
		"key": key, "admin": who.SignedIn && who.Actor.Admin, "trusted": who.Trusted, "keys": keysOf(who.Actor),
	})
}

// expandable is what must be known of a list before its first line.
type expandable struct {
	Members bool // it has any
	Visible bool // it has any that are not hidden from the asker
	UTF8    bool `db:"utf8"` // one of these has an address that is not ASCII
}

// Each is the first row of an index, which its order names: one that no other index has. Without, as
// under EXISTS, PostgreSQL may think that reading the table from its start finds one at once, and read
// a million members of other lists, or in ASCII, before it does.
const expandableSelect = `SELECT
	COALESCE((SELECT true FROM member WHERE list = $1 AND left_at IS NULL
		ORDER BY domain, key LIMIT 1), false) AS members,
	COALESCE((SELECT true FROM member WHERE list = $1 AND left_at IS NULL AND ($2 OR NOT hidden)
		ORDER BY domain, key LIMIT 1), false) AS visible,
	COALESCE((SELECT true FROM member WHERE list = $1 AND left_at IS NULL AND ($2 OR NOT hidden)
		AND octet_length(address) <> char_length(address) ORDER BY octet_length(address) LIMIT 1), false) AS utf8`

func selectExpandable(ctx context.Context, q querier, listID int64, hidden bool) (expandable, error) {
	return collectOne[expandable](ctx, q, expandableSelect, listID, hidden)
}

// The list stands in the comparisons and in the order, as in membersByKey, so that the index of the
// keys of all lists does not offer itself.
const rosterSelect = `SELECT key, address, name FROM member
WHERE left_at IS NULL AND (list, key) > ($1, $2) AND (list, key) < ($1, '` + endOfText + `') AND ($3 OR NOT hidden)
ORDER BY list, key
LIMIT $4`

// rosterPage is a page of members, in the order of their keys.
type rosterPage struct {
	last    string // key of the last one read
	members []smtp.Mailbox

	text []byte // the addresses and names, one after the other
	ends []int  // of each in text
}

// read replaces the page by the one after a key. The rows are taken from the wire as they are, and what
// they say becomes parts of one string: this is the loop of EXPN.
func (p *rosterPage) read(ctx context.Context, q querier, listID int64, hidden bool, after string, limit int) error {
	p.members, p.text, p.ends = p.members[:0], p.text[:0], p.ends[:0]
	rows, err := q.Query(ctx, rosterSelect, listID, after, hidden, limit)
	if err != nil {
		return err
	}
	defer rows.Close()
	var last []byte
	for rows.Next() {
		raw := rows.RawValues() // text is the same in both formats of the protocol
		last = append(last[:0], raw[0]...)
		for _, field := range raw[1:] {
			p.text = append(p.text, field...)
			p.ends = append(p.ends, len(p.text))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	p.last = string(last)
	text, at := string(p.text), 0
	for i := 0; i < len(p.ends); i += 2 {
		address, name := text[at:p.ends[i]], text[p.ends[i]:p.ends[i+1]]
		p.members = append(p.members, smtp.Mailbox{Name: name, Address: storedAddress(address)})
		at = p.ends[i+1]
	}
	return nil
}

// storedAddress takes an address apart that was parsed before it was stored.
func storedAddress(s string) smtp.Address {
	at := strings.LastIndexByte(s, '@')
	if at < 0 || s[0] == '"' { // a quoted local part has to be unquoted
		if a, err := smtp.ParseAddress(s); err == nil {
			return a
		}
		return smtp.Address{Local: s}
	}
	return smtp.Address{Local: s[:at], Domain: s[at+1:]}
}

// owner is an owner's address with the name of the person it belongs to.
type owner struct {
	Address string
	Name    string
}

const ownersSelect = `SELECT r.address, coalesce(p.name, '') AS name
FROM role r
LEFT JOIN person_address a ON a.key = r.key
LEFT JOIN person p ON p.id = a.person
WHERE r.list = $1 AND r.role = 'owner'
ORDER BY r.key`

func selectOwners(ctx context.Context, q querier, listID int64) ([]owner, error) {
	return collect[owner](ctx, q, ownersSelect, listID)
}

// expnUse is for whom EXPN is of use here at all.
type expnUse struct {
	Anyone bool // some list is open to strangers
	Some   bool // some list can be expanded by somebody
}

const expnUseSelect = `SELECT
	EXISTS (SELECT FROM list WHERE deleted IS NULL AND expn = 'anyone') AS anyone,
	EXISTS (SELECT FROM list WHERE deleted IS NULL AND expn <> 'nobody') AS some`

func selectExpnUse(ctx context.Context, q querier) (expnUse, error) {
	return collectOne[expnUse](ctx, q, expnUseSelect)
}

func isMemberAnywhere(ctx context.Context, q querier, key string) (found bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM member WHERE key = $1 AND left_at IS NULL)`, key).Scan(&found)
	return found, err
}
