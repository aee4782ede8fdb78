package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"muster/lists"
	"muster/templates"
)

// textsPage are the mails that a list writes, with whose words they have.
type textsPage struct {
	listFrame
	Texts []textRow
}

// textRow is a kind of mail, with its text in each language.
type textRow struct {
	Kind  string
	Texts []textLink
}

// textLink leads to the text of a mail in a language.
type textLink struct {
	Language string
	Of       string // the end of a sentence of the catalogue: text.of.list
}

// textPage is a form of one text.
type textPage struct {
	listFrame
	Kind, Language string
	Of             string
	Own            bool // the list has a text of its own
	Source         string
	Names          []string // that the text may hold
	Sample         string   // what the mail would be; "" if it was not asked
	Errors         formErrors
}

// Whose a text is.
const (
	ofList   = "list"
	ofDomain = "domain"
	ofSite   = "site"
	ofMuster = "muster"
)

// textKinds are the mails that come from a list.
func textKinds() []string {
	return slices.DeleteFunc(templates.MailKinds(), func(kind string) bool { return kind == lists.NoticeSignIn })
}

// whose says whose a text is that counts at a list.
func whose(t lists.Template) string {
	switch {
	case t.List != 0:
		return ofList
	case t.Domain != "":
		return ofDomain
	}
	return ofSite
}

func (s *Site) showTexts(v *visit) error {
	found, err := s.lists.TemplatesAt(v.Request().Context(), v.actor, v.list.ID)
	if err != nil {
		return err
	}
	p := textsPage{listFrame: v.listFrame("settings")}
	for _, kind := range textKinds() {
		row := textRow{Kind: kind}
		for _, lang := range languages() {
			of := ofMuster
			if i := slices.IndexFunc(found, isText(kind, lang)); i >= 0 {
				of = whose(found[i])
			}
			row.Texts = append(row.Texts, textLink{lang, of})
		}
		p.Texts = append(p.Texts, row)
	}
	return v.ok("texts", p)
}

func isText(kind, lang string) func(lists.Template) bool {
	return func(t lists.Template) bool { return t.Kind == kind && t.Language == lang }
}

// text is the page of the text that counts at the list.
func (s *Site) text(v *visit, kind, lang string) (textPage, error) {
	if !slices.Contains(textKinds(), kind) || !slices.Contains(languages(), lang) {
		return textPage{}, errNoPage
	}
	found, err := s.lists.TemplatesAt(v.Request().Context(), v.actor, v.list.ID)
	if err != nil {
		return textPage{}, err
	}
	p := textPage{listFrame: v.listFrame("settings"), Kind: kind, Language: lang, Of: ofMuster}
	if p.Source, err = templates.MailSource(kind, lang); err != nil {
		return textPage{}, err
	}
	if i := slices.IndexFunc(found, isText(kind, lang)); i >= 0 {
		p.Of, p.Source = whose(found[i]), found[i].Source
	}
	p.Own = p.Of == ofList
	p.Names, err = templates.MailNames(kind)
	return p, err
}

func (s *Site) showText(v *visit) error {
	p, err := s.text(v, v.param("kind"), v.param("language"))
	if err != nil {
		return err
	}
	return v.ok("text", p)
}

// saveText sets the list's own text, shows what it would be, or takes it away.
func (s *Site) saveText(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	p, err := s.text(v, v.param("kind"), v.param("language"))
	if err != nil {
		return err
	}
	t := lists.Template{List: v.list.ID, Kind: p.Kind, Language: p.Language, Source: form.Get("source")}
	switch form.Get("do") {
	case "reset":
		if err := s.lists.RemoveTemplate(v.Request().Context(), v.actor, t); err != nil && lists.KindOf(err) != lists.NotFound {
			return err
		}
		return v.done(v.manageURL("texts"), "text.reset")
	case "preview":
		return s.previewText(v, p, form)
	}
	if err := s.lists.SetTemplate(v.Request().Context(), v.actor, t); err != nil {
		errs, code, err := v.refused(err, "source")
		if err != nil {
			return err
		}
		p.Source, p.Errors = t.Source, errs
		return v.show(code, "text", p)
	}
	return v.done(v.manageURL("texts"), "text.saved")
}

// previewText shows what a text would be with sample data, and keeps nothing.
func (s *Site) previewText(v *visit, p textPage, form url.Values) error {
	p.Source = strings.ReplaceAll(form.Get("source"), "\r\n", "\n")
	if err := templates.CheckMail(p.Kind, p.Language, p.Source); err != nil {
		p.Errors = formErrors{"source": v.words.Text("error.template.bad", map[string]any{"Why": err.Error()})}
		return v.show(http.StatusUnprocessableEntity, "text", p)
	}
	samples, err := templates.Samples(p.Kind)
	if err != nil {
		return err
	}
	subject, text, err := templates.MailFrom(p.Source, p.Kind, p.Language, samples[0])
	if err != nil {
		return err
	}
	p.Sample = subject + "\n\n" + text
	return v.ok("text", p)
}
