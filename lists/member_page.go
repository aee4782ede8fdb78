package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"muster/smtp"
)

// MemberQuery asks for a page of members.
//
// Search is the beginning of an address, or after an @ the beginning of a domain: "ann", "ann@a.",
// "@doc.ic". Both walk an index, so that a page of a million members costs what a page of ten
// does; text from the middle of an address or from a name would not.
type MemberQuery struct {
	Search string
	After  string // key of the last member of the page before
	Before string // key of the first member of the page after
	Limit  int    // 0: 50; at most 1000
}

// MemberPage is a page of members, by key, or when searching by domain, by domain and key.
type MemberPage struct {
	Members     []Member
	More        bool // there are more in the direction asked for
	Count       int  // all that the search finds, counted up to MaxCount
	CountCapped bool // there are more than Count
}

// MaxCount is how far a page counts.
const MaxCount = 10_000

// endOfText sorts after whatever may follow the beginning of a key: the last code point, which is
// no character and so in no address.
const endOfText = "\U0010FFFF"

// Members is a page of the members of a list, for those who manage it.
func (s *Service) Members(ctx context.Context, by Actor, listID int64, query MemberQuery) (MemberPage, error) {
	l, err := s.manage(ctx, s.pool, by, listID)
	if err != nil {
		return MemberPage{}, err
	}
	scan := newMemberScan(listID, query)
	page, err := scan.page(ctx, s.pool)
	if err != nil {
		return MemberPage{}, fmt.Errorf("members of %s: %w", l.Address(), err)
	}
	return page, nil
}

// memberScan is a query made into a range of an index and a direction.
type memberScan struct {
	memberRange
	byDomain bool
	back     bool
}

func newMemberScan(listID int64, query MemberQuery) memberScan {
	scan := memberScan{memberRange: memberRange{List: listID, Limit: pageSize(query.Limit)}}
	search := searchKey(query.Search)
	if domain, ok := strings.CutPrefix(search, "@"); ok && domain != "" {
		scan.byDomain, search = true, domain
	}
	scan.From, scan.To = search, search+endOfText
	if query.Before != "" && query.After == "" {
		scan.back = true
		scan.Key = pgText(query.Before)
	} else {
		scan.Key = pgText(query.After)
	}
	scan.Domain = scan.Key[strings.LastIndexByte(scan.Key, '@')+1:]
	return scan
}

// searchKey brings the beginning of an address into the form of a key, as far as it goes.
func searchKey(search string) string {
	search = strings.ToLower(norm.NFC.String(pgText(strings.TrimSpace(search))))
	i := strings.LastIndexByte(search, '@')
	if i < 0 {
		return search
	}
	if domain, err := smtp.DomainKey(search[i+1:]); err == nil {
		return search[:i+1] + domain
	}
	return search
}

func (scan memberScan) page(ctx context.Context, q querier) (MemberPage, error) {
	page := MemberPage{}
	limit := scan.Limit
	scan.Limit = limit + 1
	found, err := selectMembers(ctx, q, scan.sql(), scan.memberRange)
	if err != nil {
		return MemberPage{}, err
	}
	page.More = len(found) > limit
	page.Members = found[:min(limit, len(found))]
	if scan.back {
		slices.Reverse(page.Members)
	}
	scan.Limit = MaxCount + 1
	n, err := countMembers(ctx, q, scan.countSQL(), scan.memberRange)
	page.Count, page.CountCapped = min(n, MaxCount), n > MaxCount
	return page, err
}

func (scan memberScan) sql() string {
	switch {
	case scan.byDomain && scan.back:
		return membersByDomainBack
	case scan.byDomain:
		return membersByDomain
	case scan.back:
		return membersByKeyBack
	}
	return membersByKey
}

func (scan memberScan) countSQL() string {
	if scan.byDomain {
		return membersCountByDomain
	}
	return membersCountByKey
}
