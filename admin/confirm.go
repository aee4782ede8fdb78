package admin

import (
	"net/http"

	"muster/lists"
)

// confirmPage asks once more, because links in mails are opened by machines too.
type confirmPage struct {
	frame
	Token   string
	Purpose string
	Address string
	List    lists.List
}

// confirmedPage says what was done.
type confirmedPage struct {
	frame
	List lists.List
	What string
	Next string // what to do now, if anything
}

func (s *Site) showConfirm(v *visit) error {
	v.private()
	token := v.param("token")
	asked, err := s.lists.Pending(v.Request().Context(), token, v.actor.Client)
	if err != nil {
		return err
	}
	if asked.Purpose == lists.PurposeSignIn {
		return v.Redirect(http.StatusSeeOther, "/signin/"+token)
	}
	if asked.Done {
		return s.showConfirmed(v, lists.Confirmed{Purpose: asked.Purpose, List: asked.List, Address: asked.Address, Before: true})
	}
	return v.ok("confirm", confirmPage{
		frame: v.titled("confirm." + asked.Purpose + ".title"), Token: token, Purpose: asked.Purpose, Address: asked.Address, List: asked.List,
	})
}

func (s *Site) confirm(v *visit) error {
	v.private()
	done, err := s.lists.Confirm(v.Request().Context(), v.param("token"), v.actor.Client)
	if err != nil {
		return err
	}
	return s.showConfirmed(v, done)
}

func (s *Site) showConfirmed(v *visit, c lists.Confirmed) error {
	outcome := c.Purpose
	switch {
	case c.Before:
		outcome += ".before"
	case c.Waits:
		outcome += ".waits"
	}
	names := map[string]any{"Address": c.Address, "List": c.List.Title(), "ListAddress": c.List.Address()}
	p := confirmedPage{frame: v.titled("confirmed." + outcome + ".title"), List: c.List, What: v.words.Text("confirmed."+outcome+".what", names)}
	if outcome == lists.PurposeJoin {
		p.Next = v.words.Text("confirmed.join.next", names)
	}
	return v.ok("confirmed", p)
}
