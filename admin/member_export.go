package admin

import (
	"fmt"
	"net/http"
)

// exportMembers streams all members as CSV. Once bytes are out an error cannot become a page: the
// connection is cut, so that half a list is not taken for a whole one.
func (s *Site) exportMembers(v *visit) error {
	h := v.Response().Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-members.csv"`, v.list.Local))
	if v.Request().Method == http.MethodHead {
		return v.NoContent(http.StatusOK)
	}
	err := s.lists.Export(v.Request().Context(), v.actor, v.list.ID, v.Response())
	if err != nil && v.Response().Committed {
		s.cfg.Log.ErrorContext(v.Request().Context(), "export cut off", "list", v.list.Address(), "error", err)
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		h.Del("Content-Type")
		h.Del("Content-Disposition")
	}
	return err
}
