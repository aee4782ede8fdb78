package admin

import (
	"net/http"

	"muster/lists"
)

// moderationPage is what moderators of a list have at hand: answers for posts that they turn down, and
// whose posts are not held.
type moderationPage struct {
	listFrame
	Answers []lists.Canned
	Trusted []lists.Trusted
	Next    string // key of the last one shown, if there are more
	Form    lists.Canned
	Address string // typed into the form that trusts
	Errors  formErrors
}

// trustedShown is how many addresses stand on a page.
const trustedShown = 50

func (s *Site) showModeration(v *visit) error {
	form := lists.Canned{}
	if name := v.QueryParam("answer"); name != "" {
		text, err := s.lists.CannedText(v.Request().Context(), v.actor, v.list.ID, name)
		if err != nil {
			return err
		}
		form = lists.Canned{Name: name, Text: text}
	}
	return s.renderModeration(v, http.StatusOK, moderationPage{Form: form})
}

func (s *Site) renderModeration(v *visit, code int, p moderationPage) error {
	ctx := v.Request().Context()
	p.listFrame = v.listFrame("held")
	var err error
	if p.Answers, err = s.lists.CannedAnswers(ctx, v.actor, v.list.ID); err != nil {
		return err
	}
	if p.Trusted, err = s.lists.Trusted(ctx, v.actor, v.list.ID, v.QueryParam("after"), trustedShown+1); err != nil {
		return err
	}
	if len(p.Trusted) > trustedShown {
		p.Trusted = p.Trusted[:trustedShown]
		p.Next = p.Trusted[trustedShown-1].Key
	}
	return v.show(code, "moderation", p)
}

// moderationDone shows the page again, with what was wrong or from the beginning.
func (s *Site) moderationDone(v *visit, p moderationPage, err error) error {
	if err == nil {
		return v.done(v.manageURL("moderation"), "saved")
	}
	errs, code, err := v.refused(err, "answer", "text", "address")
	if err != nil {
		return err
	}
	p.Errors = errs
	return s.renderModeration(v, code, p)
}

func (s *Site) saveAnswer(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	c := lists.Canned{Name: form.Get("answer"), Text: form.Get("text")}
	return s.moderationDone(v, moderationPage{Form: c}, s.lists.SetCanned(v.Request().Context(), v.actor, v.list.ID, c))
}

func (s *Site) removeAnswer(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	return s.moderationDone(v, moderationPage{}, s.lists.RemoveCanned(v.Request().Context(), v.actor, v.list.ID, form.Get("answer")))
}

func (s *Site) trustAddress(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	typed := form.Get("address")
	a, err := address("address", typed)
	if err == nil {
		err = s.lists.Trust(v.Request().Context(), v.actor, v.list.ID, a)
	}
	return s.moderationDone(v, moderationPage{Address: typed}, err)
}

func (s *Site) distrustAddress(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	a, err := address("address", form.Get("address"))
	if err == nil {
		err = s.lists.Distrust(v.Request().Context(), v.actor, v.list.ID, a)
	}
	return s.moderationDone(v, moderationPage{}, err)
}
