package admin

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// observe writes one line for each request, and turns a panic into a page that says sorry. The
// line names the route and the list, not the path: confirmation and unsubscribe links are secrets.
func (s *Site) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		if err := s.survive(next, c); err != nil {
			c.Error(err)
		}
		r := c.Request()
		s.cfg.Log.DebugContext(r.Context(), "request", "method", r.Method, "route", c.Path(), "list", c.Param(listParam), "client", s.client(r),
			"status", c.Response().Status, "bytes", c.Response().Size, "took", time.Since(began))
		return nil
	}
}

func (s *Site) survive(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		caught := recover()
		if caught == nil {
			return
		}
		if caught == http.ErrAbortHandler {
			panic(caught) // the server's own way to cut a connection
		}
		s.cfg.Log.ErrorContext(c.Request().Context(), "panic", "route", c.Path(), "stack", string(debug.Stack()))
		err = fmt.Errorf("panic: %v", caught)
	}()
	return next(c)
}
