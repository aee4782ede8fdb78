package admin

import (
	"net/http"

	"muster/lists"
)

// accountPage is a person's own: where they are signed in, and their password.
type accountPage struct {
	frame
	Sessions []lists.Session
	Errors   formErrors
}

func (s *Site) showAccount(v *visit) error {
	return s.renderAccount(v, http.StatusOK, nil)
}

func (s *Site) renderAccount(v *visit, code int, errs formErrors) error {
	sessions, err := s.lists.Sessions(v.Request().Context(), v.actor)
	if err != nil {
		return err
	}
	p := accountPage{frame: v.titled("account.title"), Sessions: sessions, Errors: errs}
	p.Path = "/account"
	return v.show(code, "account", p)
}

func (s *Site) endSession(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	id, err := wholeNumber(form.Get("session"))
	if err != nil {
		return err
	}
	if id == 0 {
		return errBadForm
	}
	if err := s.lists.EndSession(v.Request().Context(), v.actor, id); err != nil {
		return err
	}
	return v.done("/account", "session.ended")
}

func (s *Site) endSessions(v *visit) error {
	if err := s.lists.EndSession(v.Request().Context(), v.actor, 0); err != nil {
		return err
	}
	s.dropCookie(v, sessionCookie)
	return v.done("/signin", "sessions.ended")
}
