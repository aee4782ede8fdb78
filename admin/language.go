package admin

import (
	"net/http"
	"slices"
	"time"
)

// languageAge is how long a browser keeps the choice of a language.
const languageAge = 365 * 24 * time.Hour

func (s *Site) chooseLanguage(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	chosen := form.Get("language")
	if !slices.Contains(languages(), chosen) {
		return errBadForm
	}
	s.setCookie(v, languageCookie, chosen, languageAge)
	next := ownPath(form.Get("next"))
	if next == "" {
		next = "/"
	}
	return v.Redirect(http.StatusSeeOther, next)
}
