package admin

import (
	"net/http"
	"strings"

	"muster/lists"
)

// domainsPage are the domains served here.
type domainsPage struct {
	frame
	Domains []lists.Domain
	Form    string
	Errors  formErrors
}

func (s *Site) showDomains(v *visit) error {
	return s.renderDomains(v, http.StatusOK, "", nil)
}

func (s *Site) renderDomains(v *visit, code int, form string, errs formErrors) error {
	found, err := s.lists.Domains(v.Request().Context(), v.actor)
	if err != nil {
		return err
	}
	p := domainsPage{frame: v.titled("domains.title"), Domains: found, Form: form, Errors: errs}
	p.Path = "/manage/domains"
	return v.show(code, "domains", p)
}

func (s *Site) addDomain(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(values.Get("domain"))
	made, err := s.lists.CreateDomain(v.Request().Context(), v.actor, typed)
	if err != nil {
		errs, code, err := v.refused(err, "domain")
		if err != nil {
			return err
		}
		return s.renderDomains(v, code, typed, errs)
	}
	return v.done("/manage/domains", "domain.made", "Domain", made.Name)
}
