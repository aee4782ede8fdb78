package admin

import (
	"net/http"
	"net/url"
	"strings"

	"muster/lists"
	"muster/smtp"
)

// newListPage makes a list.
type newListPage struct {
	frame
	Form   newListForm
	Errors formErrors
}

type newListForm struct{ Address, Name, Description, Owner string }

func readNewListForm(f url.Values) newListForm {
	return newListForm{
		Address: strings.TrimSpace(f.Get("address")), Name: f.Get("name"),
		Description: f.Get("description"), Owner: strings.TrimSpace(f.Get("owner")),
	}
}

func (f newListForm) list() (lists.NewList, error) {
	a, err := address("address", f.Address)
	if err != nil {
		return lists.NewList{}, err
	}
	owner, err := address("owner", f.Owner)
	if err != nil {
		return lists.NewList{}, err
	}
	return lists.NewList{Address: a, Name: f.Name, Description: f.Description, Owners: []smtp.Address{owner}}, nil
}

func (s *Site) showNewList(v *visit) error {
	return s.renderNewList(v, http.StatusOK, newListPage{Form: newListForm{Owner: v.person.Address}})
}

func (s *Site) renderNewList(v *visit, code int, p newListPage) error {
	p.frame = v.titled("new.title")
	p.Path = "/manage/new"
	return v.show(code, "new", p)
}

func (s *Site) newList(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := readNewListForm(values)
	n, err := form.list()
	if err == nil {
		v.list, err = s.lists.CreateList(v.Request().Context(), v.actor, n)
	}
	if err != nil {
		errs, code, err := v.refused(err, "address", "name", "description", "owner")
		if err != nil {
			return err
		}
		return s.renderNewList(v, code, newListPage{Form: form, Errors: errs})
	}
	return v.done(v.manageURL("members", "add"), "list.made", "List", v.list.Address().String())
}
