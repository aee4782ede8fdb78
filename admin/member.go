package admin

import (
	"net/http"

	"muster/lists"
	"muster/smtp"
)

// memberPage is one member, to look at, change and remove.
type memberPage struct {
	listFrame
	Member   lists.Member
	Settings []settingInput
	Errors   formErrors
}

func (s *Site) showMember(v *visit) error {
	a, err := address("address", v.QueryParam("address"))
	if err != nil {
		return errNoPage
	}
	return s.renderMember(v, http.StatusOK, a, nil, nil)
}

// renderMember fills the form with what is set, or with what was tried and what was wrong with it.
func (s *Site) renderMember(v *visit, code int, a smtp.Address, errs formErrors, tried []lists.Change) error {
	m, err := s.lists.Member(v.Request().Context(), v.actor, v.list.ID, a)
	if err != nil {
		return err
	}
	p := memberPage{listFrame: v.listFrame("members"), Member: m, Errors: errs}
	value := valueOf(tried, m.Get)
	for _, setting := range lists.MemberSettings() {
		if setting.Key != "name" { // it has an input of its own
			p.Settings = append(p.Settings, v.settingInput("member", setting, value(setting.Key), errs[setting.Key]))
		}
	}
	return v.show(code, "member", p)
}

func (s *Site) saveMember(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	a, err := address("address", form.Get("address"))
	if err != nil {
		return err
	}
	changes := readChanges(form, lists.MemberSettings())
	if _, err := s.lists.SetMember(v.Request().Context(), v.actor, v.list.ID, a, changes); err != nil {
		errs, code, err := v.refused(err, settingKeys(lists.MemberSettings())...)
		if err != nil {
			return err
		}
		return s.renderMember(v, code, a, errs, changes)
	}
	return v.done(v.manageURL("members"), "member.saved", "Address", a.String())
}

func (s *Site) removeMember(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	a, err := address("address", form.Get("address"))
	if err != nil {
		return err
	}
	if err := s.lists.RemoveMember(v.Request().Context(), v.actor, v.list.ID, a, form.Has("notify")); err != nil {
		return err
	}
	return v.done(v.manageURL("members"), "member.removed", "Address", a.String())
}
