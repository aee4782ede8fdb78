package admin

import (
	"net/url"

	"muster/lists"
)

// passwordForm changes a person's own password. Who has one shows that they know it: a browser
// left open must not be enough to take an account over.
type passwordForm struct{ current, fresh string }

func readPasswordForm(f url.Values) passwordForm {
	return passwordForm{current: f.Get("current"), fresh: f.Get("password")}
}

func (s *Site) changePassword(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := readPasswordForm(values)
	if err := s.changePasswordTo(v, form); err != nil {
		errs, code, err := v.refused(err, "current", "password")
		if err != nil {
			return err
		}
		return s.renderAccount(v, code, errs)
	}
	// Every session ended with the old password, this one too; here it goes on as a new one.
	token, _, err := s.lists.SignIn(v.Request().Context(), v.person.Address, form.fresh, v.actor.Client)
	if err != nil {
		return err
	}
	s.setCookie(v, sessionCookie, token, sessionAge)
	return v.done("/account", "password.changed")
}

func (s *Site) changePasswordTo(v *visit, form passwordForm) error {
	ctx := v.Request().Context()
	if v.person.Password {
		_, err := s.lists.Authenticate(ctx, v.person.Address, form.current, v.actor.Client)
		if lists.KindOf(err) == lists.Denied {
			e := lists.Errorf(lists.Invalid, "password.current", "that is not your password as it is now")
			e.Field = "current"
			return e
		}
		if err != nil {
			return err
		}
	}
	if form.fresh == "" { // to the service that would mean to sign in by mail only
		e := lists.Errorf(lists.Invalid, "password.empty", "a new password is needed")
		e.Field = "password"
		return e
	}
	return s.lists.SetPassword(ctx, v.actor, v.person.ID, form.fresh)
}
