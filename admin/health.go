package admin

import (
	"context"
	"net/http"
	"time"
)

// pingTime is how long the database may take to answer before the site says it is unwell.
const pingTime = 2 * time.Second

// health tells whoever watches over the process whether it can do its work. It says no more than
// that: everybody may ask.
func (s *Site) health(v *visit) error {
	v.private()
	if s.cfg.Ping == nil {
		return v.String(http.StatusOK, "ok\n")
	}
	ctx, cancel := context.WithTimeout(v.Request().Context(), pingTime)
	defer cancel()
	if err := s.cfg.Ping(ctx); err != nil {
		s.cfg.Log.WarnContext(ctx, "database does not answer", "error", err)
		return v.String(http.StatusServiceUnavailable, "the database does not answer\n")
	}
	return v.String(http.StatusOK, "ok\n")
}
