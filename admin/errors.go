package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"muster/lists"
)

// What a request can be refused for before a service is asked. The codes are sentences of the
// catalogues.
var (
	errCrossSite      = lists.Errorf(lists.Denied, "site.cross", "this form was sent from another site, or by a browser that hides where it was; open the page here and send it again")
	errSignIn         = lists.Errorf(lists.Denied, "site.signin", "please sign in first")
	errAdminsOnly     = lists.Errorf(lists.Denied, "denied.admin", "only an administrator of this site may do that")
	errOwnersOnly     = lists.Errorf(lists.Denied, "site.owners", "only an owner of this list may see this page")
	errModeratorsOnly = lists.Errorf(lists.Denied, "site.moderators", "only an owner or moderator of this list may see this page")
	errNoPage         = lists.Errorf(lists.NotFound, "site.nopage", "there is no such page here")
	errBadForm        = lists.Errorf(lists.Invalid, "site.form", "what the browser sent could not be read; go back and try again")
	errTooBig         = lists.Errorf(lists.Invalid, "site.toobig", "what the browser sent is too large")
)

// status is what a failure is in HTTP: the one table of it.
func status(err error) int {
	switch {
	case errors.Is(err, errTooBig):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	switch lists.KindOf(err) {
	case lists.Invalid:
		return http.StatusUnprocessableEntity
	case lists.NotFound:
		return http.StatusNotFound
	case lists.Denied:
		return http.StatusForbidden
	case lists.Exists, lists.Conflict:
		return http.StatusConflict
	case lists.Expired:
		return http.StatusGone
	case lists.Limited:
		return http.StatusTooManyRequests
	case lists.Overloaded:
		return http.StatusServiceUnavailable
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		return he.Code
	}
	return http.StatusInternalServerError
}

// errorPage says what happened, to what, and what to do.
type errorPage struct {
	frame
	Status int
	What   string
	Advice string
}

// showError turns an error into a page. A fault of ours is logged here, and nowhere else, and told
// without its cause.
func (s *Site) showError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	v, ok := c.Get(visitKey).(*visit)
	if !ok {
		stranger, strangeErr := s.stranger(c)
		if strangeErr != nil {
			http.Error(c.Response(), http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		v = stranger
	}
	code := status(err)
	v.private()
	if code >= http.StatusInternalServerError {
		s.cfg.Log.ErrorContext(c.Request().Context(), "page failed", "method", c.Request().Method, "route", c.Path(), "error", err)
	}
	if errors.Is(err, errSignIn) {
		err = v.askSignIn()
	} else {
		err = v.renderError(code, err)
	}
	if err != nil {
		s.cfg.Log.ErrorContext(c.Request().Context(), "error page failed", "error", err)
		s.saySorry(v)
	}
}

func (v *visit) renderError(code int, err error) error {
	if code == http.StatusInternalServerError {
		v.site.saySorry(v)
		return nil
	}
	p := errorPage{Status: code, What: v.sentence(code, err), Advice: v.words.Text(advice(code), nil)}
	p.frame = v.frame(v.words.Text("error.title", nil))
	return v.show(code, "error", p)
}

// sentence is what an error says, in the visitor's language where the catalogue has it.
func (v *visit) sentence(code int, err error) string {
	var e *lists.Error
	if errors.As(err, &e) {
		if id := "error." + e.Code; v.words.Has(id) {
			return v.words.Text(id, e.Params)
		}
		return e.Msg
	}
	switch code {
	case http.StatusNotFound:
		return v.words.Text("error.site.nopage", nil)
	case http.StatusMethodNotAllowed:
		return v.words.Text("error.site.method", nil)
	}
	return http.StatusText(code)
}

// advice is the id of what to do now.
func advice(code int) string {
	switch code {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "advice.lost"
	case http.StatusForbidden:
		return "advice.denied"
	case http.StatusGone:
		return "advice.expired"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "advice.later"
	}
	return "advice.back"
}

// prepareSorry makes the page for a fault of ours while nothing is at fault.
func (s *Site) prepareSorry() error {
	s.sorry = map[string][]byte{}
	for _, lang := range languages() {
		v := &visit{site: s}
		words, err := catalogue(lang)
		if err != nil {
			return err
		}
		v.words = words
		p := errorPage{Status: http.StatusInternalServerError, What: words.Text("error.site.fault", nil), Advice: words.Text("advice.fault", nil)}
		p.frame = frame{Lang: lang, Title: words.Text("error.title", nil), Path: "/"}
		if s.sorry[lang], err = s.pages.Render(lang, "error", p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) saySorry(v *visit) {
	if err := v.HTMLBlob(http.StatusInternalServerError, s.sorry[v.words.Lang]); err != nil {
		s.cfg.Log.DebugContext(v.Request().Context(), "client went away", "error", err)
	}
}
