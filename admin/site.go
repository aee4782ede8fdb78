package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"muster/lists"
	"muster/templates"
)

// Config is what the site needs. Service and BaseURL are required.
type Config struct {
	Service *lists.Service
	// BaseURL is where people reach the site, without a slash at its end. Links are made of it,
	// never of what a request says its host is.
	BaseURL string
	// Progress tells how far a post's fan-out is; nil shows none.
	Progress Progress
	// Queue tells what waits to be sent; nil shows none.
	Queue Queue
	// Control stops what is sent; nil: that cannot be done here.
	Control Control
	// RedirectedTo is the address that all mail goes to in place of its recipients; "": none does.
	RedirectedTo string
	// Ping says whether the database answers, for /healthz; nil is taken for yes.
	Ping func(ctx context.Context) error
	// TrustedProxies may say in X-Forwarded-For whom they speak for.
	TrustedProxies []netip.Prefix
	SpoolDir       string           // for files while they arrive; "": the system's for temporary files
	Now            func() time.Time // nil: time.Now
	Log            *slog.Logger     // nil: nothing is logged
}

// Site serves the pages. It is safe for concurrent use and holds nothing that two nodes would have
// to agree on.
type Site struct {
	cfg    Config
	lists  *lists.Service
	pages  *templates.Pages
	echo   *echo.Echo
	origin *http.CrossOriginProtection
	https  bool
	sorry  map[string][]byte // the page for a fault of ours, by language, made before there is one
	routed []route
}

// New makes the site, with every page parsed.
func New(cfg Config) (*Site, error) {
	if cfg.Service == nil {
		return nil, errors.New("the site needs the lists' services")
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("base URL %q: it is http:// or https:// and a host", cfg.BaseURL)
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Site{cfg: cfg, lists: cfg.Service, echo: echo.New(), https: base.Scheme == "https", origin: http.NewCrossOriginProtection()}
	if err := s.origin.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, fmt.Errorf("base URL %q: %w", cfg.BaseURL, err)
	}
	if s.pages, err = templates.NewPages(); err != nil {
		return nil, err
	}
	if err := s.prepareSorry(); err != nil {
		return nil, err
	}
	s.echo.HTTPErrorHandler = s.showError
	s.echo.Use(s.observe, s.secure)
	s.routes()
	return s, nil
}

// Handler serves the site.
func (s *Site) Handler() http.Handler { return s.echo }
