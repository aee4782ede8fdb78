package admin

import (
	"net/http"

	"muster/lists"
)

// sitePage is what holds for the posts of all lists: who is banned, and the rules on header fields.
type sitePage struct {
	frame
	bansPiece
	Settings []settingInput
}

func (s *Site) showSite(v *visit) error { return s.renderSite(v, http.StatusOK, emptyBan(), nil) }

func (s *Site) renderSite(v *visit, code int, form banForm, failed *failedTry) error {
	get, err := s.lists.Site(v.Request().Context(), v.actor)
	if err != nil {
		return err
	}
	errs := formErrors(nil)
	if failed != nil {
		get, errs = valueOf(failed.changes, get), failed.errors
	}
	p := sitePage{frame: v.titled("site.title")}
	if p.bansPiece, err = s.bans(v, form, errs); err != nil {
		return err
	}
	p.Path, p.Base = siteURL, siteURL+"/bans"
	for _, setting := range lists.SiteSettings() {
		p.Settings = append(p.Settings, v.settingInput("setting", setting, get(setting.Key), errs[setting.Key]))
	}
	return v.show(code, "site", p)
}

func (s *Site) saveSite(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	changes := readChanges(form, lists.SiteSettings())
	if err := s.lists.SetSite(v.Request().Context(), v.actor, changes); err != nil {
		errs, code, err := v.refused(err, settingKeys(lists.SiteSettings())...)
		if err != nil {
			return err
		}
		return s.renderSite(v, code, emptyBan(), &failedTry{errs, changes})
	}
	return v.done(siteURL, "saved")
}
