package admin

import (
	"net/http"
	"net/url"
	"strings"

	"muster/lists"
)

// personsPage are those who can sign in.
type personsPage struct {
	frame
	Persons []lists.Person
	Next    int64
	Form    personForm
	Errors  formErrors
}

type personForm struct {
	Address  string
	Name     string
	Admin    bool
	password string
}

// personsShown is how many persons stand on a page.
const personsShown = 50

func readPersonForm(f url.Values) personForm {
	return personForm{
		Address: strings.TrimSpace(f.Get("address")), Name: f.Get("name"), Admin: f.Has("admin"), password: f.Get("password"),
	}
}

func (s *Site) showPersons(v *visit) error {
	return s.renderPersons(v, http.StatusOK, personForm{}, nil)
}

func (s *Site) renderPersons(v *visit, code int, form personForm, errs formErrors) error {
	after, err := wholeNumber(v.QueryParam("after"))
	if err != nil {
		return err
	}
	found, err := s.lists.Persons(v.Request().Context(), v.actor, after, personsShown+1)
	if err != nil {
		return err
	}
	p := personsPage{frame: v.titled("persons.title"), Persons: found, Form: form, Errors: errs}
	p.Path = "/manage/persons"
	if len(found) > personsShown {
		p.Persons = found[:personsShown]
		p.Next = p.Persons[personsShown-1].ID
	}
	return v.show(code, "persons", p)
}

func (s *Site) addPerson(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := readPersonForm(values)
	a, err := address("address", form.Address)
	if err == nil {
		_, err = s.lists.CreatePerson(v.Request().Context(), v.actor, lists.NewPerson{Address: a, Name: form.Name, Admin: form.Admin, Password: form.password})
	}
	if err != nil {
		errs, code, err := v.refused(err, "address", "password")
		if err != nil {
			return err
		}
		return s.renderPersons(v, code, form, errs)
	}
	return v.done("/manage/persons", "person.made", "Address", a.String())
}
