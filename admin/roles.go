package admin

import (
	"net/http"
	"strings"

	"muster/lists"
)

// rolesPage are the owners and moderators of a list.
type rolesPage struct {
	listFrame
	Roles  []lists.Role
	Form   roleForm
	Errors formErrors
}

type roleForm struct{ Address, Role string }

func (s *Site) showRoles(v *visit) error {
	return s.renderRoles(v, http.StatusOK, roleForm{}, nil)
}

func (s *Site) renderRoles(v *visit, code int, form roleForm, errs formErrors) error {
	roles, err := s.lists.Roles(v.Request().Context(), v.actor, v.list.ID)
	if err != nil {
		return err
	}
	return v.show(code, "roles", rolesPage{listFrame: v.listFrame("roles"), Roles: roles, Form: form, Errors: errs})
}

func (s *Site) addRole(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := roleForm{Address: strings.TrimSpace(values.Get("owner")), Role: values.Get("role")}
	a, err := address("owner", form.Address)
	if err == nil {
		err = s.lists.SetRole(v.Request().Context(), v.actor, v.list.ID, a, form.Role)
	}
	if err != nil {
		errs, code, err := v.refused(err, "owner")
		if err != nil {
			return err
		}
		return s.renderRoles(v, code, form, errs)
	}
	return v.done(v.manageURL("roles"), "role.added", "Address", a.String())
}

func (s *Site) removeRole(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	a, err := address("address", values.Get("address"))
	if err == nil {
		err = s.lists.RemoveRole(v.Request().Context(), v.actor, v.list.ID, a, values.Get("role"))
	}
	if err != nil {
		errs, code, err := v.refused(err)
		if err != nil {
			return err
		}
		return s.renderRoles(v, code, roleForm{}, errs)
	}
	return v.done(v.manageURL("roles"), "role.removed", "Address", a.String())
}
