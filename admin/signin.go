package admin

import (
	"net/http"
	"strings"

	"muster/lists"
)

// signInPage takes a password, or an address that a link is mailed to.
type signInPage struct {
	frame
	Asked      bool // somebody wanted a page that needs a sign-in
	Next       string
	Address    string
	Mail       string
	Errors     formErrors
	LinkErrors formErrors
}

// signInSentPage says to look into the mail.
type signInSentPage struct {
	frame
	Address string
}

// signInLinkPage asks once more before a mailed link signs in.
type signInLinkPage struct {
	frame
	Token   string
	Address string
}

// afterSignIn is where one goes who did not come from anywhere.
const afterSignIn = "/manage"

func (s *Site) showSignIn(v *visit) error {
	if v.person.ID != 0 {
		return v.Redirect(http.StatusSeeOther, afterSignIn)
	}
	return s.renderSignIn(v, http.StatusOK, signInPage{Next: ownPath(v.QueryParam("next"))})
}

func (s *Site) renderSignIn(v *visit, code int, p signInPage) error {
	v.private()
	p.frame = v.titled("signin.title")
	p.Path = "/signin"
	return v.show(code, "signin", p)
}

// askSignIn answers for a page that needs a sign-in, at the page's own address.
func (v *visit) askSignIn() error {
	p := signInPage{Asked: true}
	if r := v.Request(); r.Method == http.MethodGet {
		p.Next = ownPath(r.URL.RequestURI())
	}
	return v.site.renderSignIn(v, http.StatusForbidden, p)
}

func (s *Site) signIn(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	typed, next := strings.TrimSpace(form.Get("address")), ownPath(form.Get("next"))
	token, _, err := s.lists.SignIn(v.Request().Context(), typed, form.Get("password"), v.actor.Client)
	switch lists.KindOf(err) {
	case lists.Denied, lists.Limited:
		return s.renderSignIn(v, status(err), signInPage{Next: next, Address: typed, Errors: formErrors{"": v.sentence(0, err)}})
	}
	if err != nil {
		return err
	}
	return s.enter(v, token, next)
}

// enter gives the browser its session and sends it on.
func (s *Site) enter(v *visit, token, next string) error {
	s.setCookie(v, sessionCookie, token, sessionAge)
	if next == "" {
		next = afterSignIn
	}
	return v.Redirect(http.StatusSeeOther, next)
}

func (s *Site) requestSignIn(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(form.Get("mail"))
	a, err := address("mail", typed)
	if err == nil {
		err = s.lists.RequestSignIn(v.Request().Context(), a, v.words.Lang, v.actor.Client)
	}
	if err != nil {
		errs, code, err := v.refused(err, "mail")
		if err != nil {
			return err
		}
		return s.renderSignIn(v, code, signInPage{Mail: typed, LinkErrors: errs})
	}
	v.private()
	return v.ok("signin-sent", signInSentPage{frame: v.titled("signin.sent.title"), Address: typed})
}

func (s *Site) showSignInLink(v *visit) error {
	v.private()
	token := v.param("token")
	asked, err := s.lists.Pending(v.Request().Context(), token, v.actor.Client)
	if err != nil {
		return err
	}
	if asked.Purpose != lists.PurposeSignIn || asked.Done {
		return lists.Errorf(lists.Expired, "signin.used", "this link was used already; ask for a new one")
	}
	return v.ok("signin-link", signInLinkPage{frame: v.titled("signin.title"), Token: token, Address: asked.Address})
}

func (s *Site) signInByLink(v *visit) error {
	v.private()
	token, _, err := s.lists.SignInByToken(v.Request().Context(), v.param("token"), v.actor.Client)
	if err != nil {
		return err
	}
	return s.enter(v, token, "")
}

func (s *Site) signOut(v *visit) error {
	if token := s.cookie(v.Request(), sessionCookie); token != "" {
		if err := s.lists.SignOut(v.Request().Context(), token); err != nil {
			return err
		}
	}
	s.dropCookie(v, sessionCookie)
	v.Response().Header().Set("Clear-Site-Data", `"cache"`)
	return v.Redirect(http.StatusSeeOther, "/")
}
