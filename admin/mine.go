package admin

import (
	"net/http"
	"net/url"
	"slices"

	"muster/lists"
	"muster/smtp"
)

// minePage is what members set of their own membership of a list, and the way to those that they have
// with other addresses.
type minePage struct {
	frame
	List     lists.List
	Address  string
	Others   []string
	Settings []settingInput
	Errors   formErrors
}

func (s *Site) showMine(v *visit) error {
	key := ""
	if text := v.QueryParam("address"); text != "" {
		a, err := address("address", text)
		if err != nil {
			return errNoPage
		}
		key = a.Key()
	}
	return s.renderMine(v, http.StatusOK, key, nil, nil)
}

// renderMine shows the membership of the address with a key, or the first, and of a try that failed what was
// tried and what was wrong with it.
func (s *Site) renderMine(v *visit, code int, key string, errs formErrors, tried []lists.Change) error {
	own, err := s.lists.OwnMembers(v.Request().Context(), v.actor, v.list.ID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(own, func(m lists.Member) bool { return key == "" || m.Key == key })
	if at < 0 {
		return errNoPage
	}
	m := own[at]
	p := minePage{frame: v.titled("mine.title"), List: v.list, Address: m.Address, Errors: errs}
	p.Path = v.minePath(m.Address)
	for i, other := range own {
		if i != at {
			p.Others = append(p.Others, other.Address)
		}
	}
	value := valueOf(tried, m.Get)
	for _, setting := range ownSettings() {
		if setting.Key == "state" {
			setting.Values = ownStates(setting.Values, m.State)
		}
		p.Settings = append(p.Settings, v.settingInput("mine", setting, value(setting.Key), errs[setting.Key]))
	}
	return v.show(code, "mine", p)
}

// ownSettings are those that members set themselves.
func ownSettings() []lists.Setting {
	return slices.DeleteFunc(lists.MemberSettings(), func(s lists.Setting) bool { return s.Manager })
}

func (v *visit) minePath(address string) string {
	return "/lists/" + v.list.Address().String() + "/mine?" + url.Values{"address": {address}}.Encode()
}

// ownStates are those that members may choose; what others have set is shown while it is so.
func ownStates(all []string, now string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(state string) bool {
		return state != lists.StateActive && state != lists.StateUser && state != now
	})
}

func (s *Site) saveMine(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	a, err := smtp.ParseAddress(form.Get("address"))
	if err != nil || !v.actor.Has(a.Key()) {
		return errNoPage
	}
	changes := readChanges(form, ownSettings())
	m, err := s.lists.SetMember(v.Request().Context(), v.actor, v.list.ID, a, changes)
	if err != nil {
		errs, code, err := v.refused(err, settingKeys(ownSettings())...)
		if err != nil {
			return err
		}
		return s.renderMine(v, code, a.Key(), errs, changes)
	}
	return v.done(v.minePath(m.Address), "member.saved", "Address", m.Address)
}
