package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/lists"
	"muster/smtp"
	"muster/templates"
)

// visit is one request on its way to a page: who asks, in which language, and for routes below a
// list, about which list with which rights.
type visit struct {
	echo.Context
	site   *Site
	actor  lists.Actor
	person lists.Person // zero for who did not sign in
	words  *templates.Catalogue
	list   lists.List
	rights lists.Rights
}

// listParam is the part of a path that names a list by its address.
const listParam = "list"

// visitKey keeps the visit where the error page finds it.
const visitKey = "visit"

// visit finds out who asks.
func (s *Site) visit(c echo.Context) (*visit, error) {
	v, err := s.stranger(c)
	if err != nil {
		return nil, err
	}
	c.Set(visitKey, v)
	token := s.cookie(c.Request(), sessionCookie)
	if token == "" {
		return v, nil
	}
	actor, person, err := s.lists.SessionActor(c.Request().Context(), token, v.actor.Client)
	switch lists.KindOf(err) {
	case lists.NotFound, lists.Expired, lists.Denied:
		s.dropCookie(v, sessionCookie)
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.actor, v.person = actor, person
	return v, v.speak(person.Language)
}

// stranger is a visit of somebody unknown.
func (s *Site) stranger(c echo.Context) (*visit, error) {
	v := &visit{Context: c, site: s, actor: lists.Anonymous(s.client(c.Request()))}
	return v, v.speak("")
}

func (v *visit) speak(own string) error {
	words, err := templates.In(v.site.language(v.Request(), own))
	v.words = words
	return err
}

// require asks for the right of a route. Who is not signed in is asked to, before anything is
// looked up: what exists and what does not looks the same to them.
func (v *visit) require(need right) error {
	if need != anyone && v.person.ID == 0 {
		return errSignIn
	}
	if need == administers && !v.actor.Admin {
		return errAdminsOnly
	}
	if v.Param(listParam) == "" {
		return nil
	}
	if err := v.findList(); err != nil {
		return err
	}
	switch {
	case need == moderates && !v.rights.Moderates():
		return errModeratorsOnly
	case need == manages && !v.rights.Manages():
		return errOwnersOnly
	}
	return nil
}

func (v *visit) findList() error {
	address, err := smtp.ParseAddress(v.param(listParam))
	if err != nil {
		return errNoPage
	}
	ctx := v.Request().Context()
	if v.list, err = v.site.lists.ListByAddress(ctx, v.actor, address); err != nil {
		return err
	}
	v.rights, err = v.site.lists.May(ctx, v.actor, v.list.ID)
	return err
}

// param is a part of the path as the browser meant it. The router matches the escaped path, if
// there is one, and leaves its escapes in place.
func (v *visit) param(name string) string {
	value := v.Param(name)
	if v.Request().URL.RawPath == "" {
		return value
	}
	plain, err := url.PathUnescape(value)
	if err != nil {
		return ""
	}
	return plain
}

// manageURL is a page of the visit's list.
func (v *visit) manageURL(parts ...string) string {
	return "/manage/lists/" + v.list.Address().String() + strings.Join(append([]string{""}, parts...), "/")
}

// ownPath is where next= may lead: a path on this site and nothing else. A browser takes "//x",
// "/\x" and anything with a line break for something else than it looks like.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return ""
	}
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	return next
}

// private keeps a page out of every cache, and out of the browser's once its person signed out.
func (v *visit) private() { v.Response().Header().Set("Cache-Control", "no-store") }

// form reads the body of a POST. One that is too large or no form is told so.
func (v *visit) form() (url.Values, error) {
	err := v.Request().ParseForm()
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return nil, errTooBig
	}
	if err != nil {
		return nil, errBadForm
	}
	return v.Request().PostForm, nil
}
