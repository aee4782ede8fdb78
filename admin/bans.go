package admin

import (
	"net/http"
	"strings"

	"muster/lists"
)

// bansPage is who is kept out of a list.
type bansPage struct {
	listFrame
	Bans    []lists.Ban
	Next    string // pattern after which there are more
	Form    banForm
	Choices []choice
	Errors  formErrors
}

type banForm struct{ Pattern, Action, Note string }

func (s *Site) showBans(v *visit) error {
	return s.renderBans(v, http.StatusOK, banForm{Action: lists.BanActions()[0]}, nil)
}

func (s *Site) renderBans(v *visit, code int, form banForm, errs formErrors) error {
	page, err := s.lists.Bans(v.Request().Context(), v.actor, v.list.ID, v.QueryParam("after"))
	if err != nil {
		return err
	}
	p := bansPage{listFrame: v.listFrame("bans"), Bans: page.Bans, Form: form, Errors: errs}
	if page.More {
		p.Next = page.Bans[len(page.Bans)-1].Pattern
	}
	for _, action := range lists.BanActions() {
		p.Choices = append(p.Choices, choice{Value: action, Label: v.words.Text("action."+action, nil), Chosen: action == form.Action})
	}
	return v.show(code, "bans", p)
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
		return s.renderBans(v, code, form, errs)
	}
	return v.done(v.manageURL("bans"), "ban.added", "Pattern", b.Pattern)
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
	return v.done(v.manageURL("bans"), "ban.removed", "Pattern", pattern)
}
