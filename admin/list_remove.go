package admin

import (
	"net/http"
	"strings"

	"muster/lists"
)

// removeListPage asks for the list's address before it is gone.
type removeListPage struct {
	frame
	List   lists.List
	Errors formErrors
}

func (s *Site) showRemoveList(v *visit) error {
	return s.renderRemoveList(v, http.StatusOK, nil)
}

func (s *Site) renderRemoveList(v *visit, code int, errs formErrors) error {
	p := removeListPage{frame: v.titled("remove.title"), List: v.list, Errors: errs}
	return v.show(code, "remove", p)
}

func (s *Site) removeList(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(form.Get("address")), v.list.Address().String()) {
		return s.renderRemoveList(v, http.StatusUnprocessableEntity, formErrors{"address": v.words.Text("remove.mismatch", nil)})
	}
	if err := s.lists.RemoveList(v.Request().Context(), v.actor, v.list.ID); err != nil {
		return err
	}
	return v.done("/manage", "list.removed", "List", v.list.Address().String())
}
