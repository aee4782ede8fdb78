package admin

import (
	"strings"

	"muster/lists"
)

// requestLeave mails the question whether somebody wants to leave, to the address it is about.
func (s *Site) requestLeave(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(values.Get("leave"))
	if err := s.requestLeaveOf(v, typed); err != nil {
		errs, code, err := v.refused(err, "leave")
		if err != nil {
			return err
		}
		return s.renderList(v, code, listPage{Leave: typed, LeaveErrors: errs})
	}
	p := askedPage{frame: v.titled("asked.leave.title"), List: v.list, Address: typed, What: v.words.Text("asked.leave", nil)}
	return v.ok("asked", p)
}

func (s *Site) requestLeaveOf(v *visit, typed string) error {
	a, err := address("leave", typed)
	if err != nil {
		return err
	}
	return s.lists.RequestLeave(v.Request().Context(), lists.Departure{
		List: v.list.ID, Address: a, Client: v.actor.Client, How: lists.ConsentWeb, Language: v.words.Lang, From: v.actor,
	})
}
