package admin

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// policy lets a page load our style, script and icon, send forms to us, and do nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secure sets what every answer says, errors included.
func (s *Site) secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Confirmation and unsubscribe links are secrets: they must not travel to where a link leads.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if s.https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		return next(c)
	}
}

// sameSite refuses a POST that another site made a browser send. The standard library's check lets
// pass what carries neither Origin nor Sec-Fetch-Site, because that is no browser; together with a
// session's cookie it is refused here as well.
func (s *Site) sameSite(r *http.Request) error {
	if err := s.origin.Check(r); err != nil {
		return errCrossSite
	}
	silent := r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == ""
	if silent && s.cookie(r, sessionCookie) != "" {
		return errCrossSite
	}
	return nil
}
