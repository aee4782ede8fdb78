package admin

import "muster/lists"

// membersPage is one page of the members of a list.
type membersPage struct {
	listFrame
	Search      string
	Members     []lists.Member
	Count       int
	CountCapped bool
	Before      string // key before which there are more members, "" if there are none
	After       string
}

func (s *Site) showMembers(v *visit) error {
	query := lists.MemberQuery{Search: v.QueryParam("q"), After: v.QueryParam("after"), Before: v.QueryParam("before")}
	found, err := s.lists.Members(v.Request().Context(), v.actor, v.list.ID, query)
	if err != nil {
		return err
	}
	p := membersPage{listFrame: v.listFrame("members"), Search: query.Search, Members: found.Members, Count: found.Count, CountCapped: found.CountCapped}
	p.turn(query, found.More)
	return v.ok("members", p)
}

// turn sets where the pages before and after begin. The service says whether there is more in the
// direction that was asked for; in the other one lies where the visitor came from.
func (p *membersPage) turn(query lists.MemberQuery, more bool) {
	if len(p.Members) == 0 {
		return
	}
	first, last := p.Members[0].Key, p.Members[len(p.Members)-1].Key
	back := query.Before != "" && query.After == ""
	if back && more || query.After != "" {
		p.Before = first
	}
	if back || more {
		p.After = last
	}
}
