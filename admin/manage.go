package admin

import "muster/lists"

// managePage are the lists of the person, or for an admin all lists.
type managePage struct {
	frame
	All   bool
	Lists []myList
	First bool
	Next  string
}

// myList is a list with what the person is to it.
type myList struct {
	List   lists.List
	Rights lists.Rights
}

// Path is where the person runs the list, or else its public page.
func (m myList) Path() string {
	path := "/lists/" + m.List.Address().String()
	if m.Rights.Moderates() {
		return "/manage" + path
	}
	return path
}

func (s *Site) showManage(v *visit) error {
	ctx := v.Request().Context()
	all := v.actor.Admin && v.QueryParam("all") != ""
	after := v.QueryParam("after")
	found, err := s.lists.Lists(ctx, v.actor, lists.ListQuery{After: after, Mine: !all})
	if err != nil {
		return err
	}
	p := managePage{frame: v.titled("manage.title"), All: all, First: after != ""}
	for _, l := range found.Lists {
		rights, err := s.lists.May(ctx, v.actor, l.ID)
		if err != nil {
			return err
		}
		p.Lists = append(p.Lists, myList{List: l, Rights: rights})
	}
	if found.More {
		p.Next = found.Lists[len(found.Lists)-1].Address().String()
	}
	return v.ok("manage", p)
}
