package admin

import (
	"net/http"
	"strings"

	"muster/lists"
)

// bansPiece is who is kept out, of a list or of all lists, with the form that adds to it.
type bansPiece struct {
	Base    string // path of the page's forms
	Bans    []lists.Ban
	Next    string // pattern after which there are more
	Form    banForm
	Choices []choice
	Errors  formErrors
}

// bansPage is who is kept out of a list.
type bansPage struct {
	listFrame
	bansPiece
}

type banForm struct{ Pattern, Action, Note string }

func emptyBan() banForm { return banForm{Action: lists.BanActions()[0]} }

func (s *Site) showBans(v *visit) error { return s.renderBans(v, http.StatusOK, emptyBan(), nil) }

func (s *Site) renderBans(v *visit, code int, form banForm, errs formErrors) error {
	piece, err := s.bans(v, form, errs)
	if err != nil {
		return err
	}
	piece.Base = v.manageURL("bans")
	return v.show(code, "bans", bansPage{listFrame: v.listFrame("bans"), bansPiece: piece})
}

// bans are those of the visit's list, or without one of the site.
func (s *Site) bans(v *visit, form banForm, errs formErrors) (bansPiece, error) {
	page, err := s.lists.Bans(v.Request().Context(), v.actor, v.list.ID, v.QueryParam("after"))
	if err != nil {
		return bansPiece{}, err
	}
	p := bansPiece{Bans: page.Bans, Form: form, Errors: errs}
	if page.More {
		p.Next = page.Bans[len(page.Bans)-1].Pattern
	}
	for _, action := range lists.BanActions() {
		p.Choices = append(p.Choices, choice{Value: action, Label: v.words.Text("action."+action, nil), Chosen: action == form.Action})
	}
	return p, nil
}

func (s *Site) addBan(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	form := banForm{Pattern: strings.TrimSpace(values.Get("pattern")), Action: values.Get("action"), Note: values.Get("note")}
	b, err := s.lists.AddBan(v.Request().Context(), v.actor, lists.Ban{
		ListID: v.list.ID, Pattern: form.Pattern, Action: form.Action, Note: form.Note,
	})
	if err != nil {
		errs, code, err := v.refused(err, "pattern", "action", "note")
		if err != nil {
			return err
		}
		if v.list.ID == 0 {
			return s.renderSite(v, code, form, &failedTry{errors: errs})
		}
		return s.renderBans(v, code, form, errs)
	}
	return v.done(v.bansURL(), "ban.added", "Pattern", b.Pattern)
}

func (s *Site) removeBan(v *visit) error {
	values, err := v.form()
	if err != nil {
		return err
	}
	pattern := values.Get("pattern")
	if err := s.lists.RemoveBan(v.Request().Context(), v.actor, v.list.ID, pattern); err != nil {
		return err
	}
	return v.done(v.bansURL(), "ban.removed", "Pattern", pattern)
}

// siteURL is the page of what holds for all lists.
const siteURL = "/manage/site"

// bansURL is the page that a ban stands on.
func (v *visit) bansURL() string {
	if v.list.ID == 0 {
		return siteURL
	}
	return v.manageURL("bans")
}
