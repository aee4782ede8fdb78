package admin

import "muster/lists"

// listsPage are the lists that the visitor may know of.
type listsPage struct {
	frame
	Lists []lists.List
	First bool   // there are lists before these
	Next  string // the last list shown, if there are more
}

func (s *Site) showLists(v *visit) error {
	after := v.QueryParam("after")
	found, err := s.lists.Lists(v.Request().Context(), v.actor, lists.ListQuery{After: after})
	if err != nil {
		return err
	}
	p := listsPage{frame: v.titled("lists.title"), Lists: found.Lists, First: after != ""}
	if found.More {
		p.Next = found.Lists[len(found.Lists)-1].Address().String()
	}
	return v.ok("lists", p)
}
