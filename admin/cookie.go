package admin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"muster/templates"
)

// What the site keeps in a browser: who signed in, the language chosen, and what to say on the
// next page about what was just done.
const (
	sessionCookie  = "session"
	languageCookie = "language"
	flashCookie    = "flash"
)

// sessionAge is how long a browser keeps the cookie; the session itself may end sooner.
const sessionAge = 30 * 24 * time.Hour

// cookieName binds a cookie to this host and path and to https, where there is https
// (RFC 6265, and its successor's __Host- prefix).
func (s *Site) cookieName(name string) string {
	if s.https {
		return "__Host-" + name
	}
	return name
}

func (s *Site) setCookie(v *visit, name, value string, age time.Duration) {
	v.SetCookie(&http.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", MaxAge: int(age / time.Second),
		Secure: s.https, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (s *Site) dropCookie(v *visit, name string) { s.setCookie(v, name, "", -time.Second) }

func (s *Site) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// flash is a sentence shown once, on the page that follows what was done. It travels as the id of
// the sentence, so that nobody can put words of theirs on our pages with it.
type flash struct {
	ID     string
	Params map[string]string `json:",omitempty"`
}

// done says on the next page what happened, and sends the browser there.
func (v *visit) done(to, id string, pairs ...string) error {
	f := flash{ID: id, Params: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Params[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	v.site.setCookie(v, flashCookie, base64.RawURLEncoding.EncodeToString(text), time.Minute)
	return v.Redirect(http.StatusSeeOther, to)
}

// takeFlash is the sentence left by done, which is thereby used up.
func (v *visit) takeFlash() string {
	value := v.site.cookie(v.Request(), flashCookie)
	if value == "" {
		return ""
	}
	v.site.dropCookie(v, flashCookie)
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	var f flash
	if err := json.Unmarshal(text, &f); err != nil || !v.words.Has("flash."+f.ID) {
		return ""
	}
	params := make(map[string]any, len(f.Params))
	for k, value := range f.Params {
		params[k] = value
	}
	return v.words.Text("flash."+f.ID, params)
}

// language is what this browser's person reads: their choice here, their own setting, what the
// browser asks for.
func (s *Site) language(r *http.Request, own string) string {
	return templates.Match(s.cookie(r, languageCookie), own, r.Header.Get("Accept-Language"))
}
