package admin

import (
	"io/fs"
	"net/http"

	"muster/templates"
)

// static serves the style sheet, the script and the icon. Pages name each with a hash of its
// content, so a browser may keep it for ever.
func (s *Site) static(v *visit) error {
	name := v.param("file")
	info, err := fs.Stat(templates.Static(), name)
	if err != nil || info.IsDir() {
		return errNoPage
	}
	if v.QueryParam("v") != "" {
		v.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(v.Response(), v.Request(), templates.Static(), name)
	return nil
}
