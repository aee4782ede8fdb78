package admin

import (
	"net/http"
	"time"

	"muster/lists"
	"muster/templates"
)

func languages() []string { return templates.Languages() }

func catalogue(lang string) (*templates.Catalogue, error) { return templates.In(lang) }

// frame is what every page shows around its content.
type frame struct {
	Lang   string
	Title  string
	Path   string // of this page, where the choice of a language comes back to
	Person lists.Person
	Flash  string
	Now    time.Time

	Redirected   bool   // no mail goes to whom it is for: said to everybody, who would wait for theirs
	RedirectedTo string // whom it goes to, for administrators

	AllHeld bool // no mail goes out: said to administrators
	Full    bool // new posts are put off: said to all who are signed in
}

// Languages are those one can choose, each by its own name.
func (f frame) Languages() []string { return languages() }

// SignedIn says whether there is anybody to sign out.
func (f frame) SignedIn() bool { return f.Person.ID != 0 }

func (v *visit) frame(title string) frame {
	f := frame{Lang: v.words.Lang, Title: title, Path: "/", Person: v.person, Now: v.site.cfg.Now()}
	if r := v.Request(); r.Method == http.MethodGet {
		f.Path = r.URL.RequestURI()
		f.Flash = v.takeFlash()
	}
	f.Redirected = v.site.cfg.RedirectedTo != ""
	if v.actor.Admin {
		f.RedirectedTo = v.site.cfg.RedirectedTo
	}
	if c := v.site.cfg.Control; c != nil && f.SignedIn() {
		f.Full = c.Full()
		f.AllHeld = v.actor.Admin && v.allHeld(c)
	}
	return f
}

// allHeld is for a banner, without which a page is better than none.
func (v *visit) allHeld(c Control) bool {
	held, err := c.AllHeld(v.Request().Context())
	if err != nil {
		v.site.cfg.Log.WarnContext(v.Request().Context(), "not known whether all mail is held", "error", err)
	}
	return held
}

// titled is frame with a title from the catalogue.
func (v *visit) titled(id string) frame { return v.frame(v.words.Text(id, nil)) }

// show sends a page, whole or not at all.
func (v *visit) show(code int, name string, p any) error {
	body, err := v.site.pages.Render(v.words.Lang, name, p)
	if err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set("Vary", "Cookie, Accept-Language")
	if v.person.ID != 0 {
		v.private()
	} else if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	return v.HTMLBlob(code, body)
}

// ok is show for a page without a fault.
func (v *visit) ok(name string, p any) error { return v.show(http.StatusOK, name, p) }
