package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// right is what a route asks for before its page is made.
type right int

const (
	anyone      right = iota
	signedIn          // as whoever
	moderates         // posts of the list in the path
	manages           // the list in the path
	administers       // the site
)

// page answers one request.
type page func(v *visit) error

// budget bounds a request. Sealed is a POST whose address is a secret that carries the right, so
// that it may come from anywhere: RFC 8058 §3.1 wants it taken without cookies or other context.
type budget struct {
	body   int64
	time   time.Duration
	sealed bool
}

// The budgets there are.
func (s *Site) forms() budget   { return budget{body: 256 << 10, time: 20 * time.Second} }
func (s *Site) seals() budget   { return budget{body: 8 << 10, time: 20 * time.Second, sealed: true} }
func (s *Site) uploads() budget { return budget{body: 128 << 20, time: 15 * time.Minute} }

// How long a page, and a file with all of a list, may take.
const (
	pageTime = 20 * time.Second
	fileTime = 15 * time.Minute
)

// route is one line of routes, kept so that a test can walk all of them.
type route struct {
	method, path string
	need         right
}

// get registers a page; HEAD is answered as GET is, without the body.
func (s *Site) get(path string, need right, show page) {
	s.read(path, need, pageTime, show)
}

// file registers a download, which may take longer than a page.
func (s *Site) file(path string, need right, show page) {
	s.read(path, need, fileTime, show)
}

func (s *Site) read(path string, need right, most time.Duration, show page) {
	s.routed = append(s.routed, route{http.MethodGet, path, need})
	s.echo.Match([]string{http.MethodGet, http.MethodHead}, path, s.open(need, most, show))
}

// post registers what changes something. There is no other way to register a POST, so none can be
// without its bounds and its check of where it comes from.
func (s *Site) post(path string, need right, b budget, act page) {
	s.routed = append(s.routed, route{http.MethodPost, path, need})
	open := s.open(need, b.time, act)
	s.echo.POST(path, func(c echo.Context) error {
		r := c.Request()
		if !b.sealed {
			if err := s.sameSite(r); err != nil {
				return err
			}
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, b.body)
		extend(c, b.time)
		return open(c)
	})
}

// extend moves the server's own deadlines out of the way of a request that may take long. A
// server that has no deadlines to move (a test's recorder) does not mind.
func extend(c echo.Context, most time.Duration) {
	until := time.Now().Add(most + time.Second)
	rc := http.NewResponseController(c.Response())
	_ = rc.SetReadDeadline(until)  // errors only say that there is no deadline to move
	_ = rc.SetWriteDeadline(until) // and so here
}

// open makes the visit, asks for the right, and shows the page.
func (s *Site) open(need right, most time.Duration, show page) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), most)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		if most == fileTime {
			extend(c, most)
		}
		v, err := s.visit(c)
		if err != nil {
			return err
		}
		if need != anyone {
			v.private()
		}
		if err := v.require(need); err != nil {
			return err
		}
		if err := show(v); err != nil {
			return fmt.Errorf("%s %s: %w", c.Request().Method, c.Path(), err)
		}
		return nil
	}
}
