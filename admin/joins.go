package admin

import (
	"strconv"

	"muster/lists"
)

// joinsPage are those who wait for an owner's yes.
type joinsPage struct {
	listFrame
	Requests []lists.JoinRequest
	Next     int64
}

// joinsShown is how many requests stand on a page.
const joinsShown = 50

func (s *Site) showJoins(v *visit) error {
	after, err := wholeNumber(v.QueryParam("after"))
	if err != nil {
		return err
	}
	found, err := s.lists.PendingJoins(v.Request().Context(), v.actor, v.list.ID, after, joinsShown+1)
	if err != nil {
		return err
	}
	p := joinsPage{listFrame: v.listFrame("joins"), Requests: found}
	if len(found) > joinsShown {
		p.Requests = found[:joinsShown]
		p.Next = p.Requests[joinsShown-1].ID
	}
	return v.ok("joins", p)
}

func (s *Site) decideJoin(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	id, err := wholeNumber(form.Get("request"))
	if err != nil {
		return err
	}
	if form.Get("answer") == "yes" {
		m, err := s.lists.ApproveJoin(v.Request().Context(), v.actor, v.list.ID, id)
		if err != nil {
			return err
		}
		return v.done(v.manageURL("joins"), "join.approved", "Address", m.Address)
	}
	if err := s.lists.RefuseJoin(v.Request().Context(), v.actor, v.list.ID, id, form.Get("reason")); err != nil {
		return err
	}
	return v.done(v.manageURL("joins"), "join.refused")
}

// wholeNumber reads an id of ours; none is 0. One that is not a number leads nowhere.
func wholeNumber(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errNoPage
	}
	return n, nil
}
