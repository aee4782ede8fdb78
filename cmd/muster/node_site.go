package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/admin"
	"muster/cmd/muster/config"
	"muster/fanout"
)

// siteServer is a part in front: the site on its listeners.
type siteServer struct {
	*http.Server
	listeners []net.Listener
}

// Serve is server.
func (s siteServer) Serve() error {
	var serving errgroup.Group
	for _, l := range s.listeners {
		serving.Go(func() error {
			if err := s.Server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return serving.Wait()
}

// Shutdown is server. Requests that are not done when ctx ends lose their connections.
func (s siteServer) Shutdown(ctx context.Context) error {
	err := s.Server.Shutdown(ctx)
	return errors.Join(err, s.Close())
}

// Bounds of a request. The site bounds bodies, gives those that are large more time, and bounds how
// long its pages take.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)

// wireSite makes the site, where the node has its role.
func (n *node) wireSite(engine *fanout.Engine) error {
	if len(n.http) == 0 {
		return nil
	}
	site, err := admin.New(admin.Config{
		Service: n.lists, BaseURL: n.cfg.BaseURL, Progress: siteView{engine}, Queue: siteView{engine}, Control: siteView{engine}, Ping: n.db.Ping,
		RedirectedTo:   n.cfg.RedirectAllTo,
		TrustedProxies: networks(n.cfg.TrustedProxies), SpoolDir: n.cfg.DataDir, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.front = append(n.front, siteServer{newHTTP(n.newMetrics(engine).before(site.Handler()), n.log), n.http})
	return nil
}

// newHTTP makes a server that no client can keep waiting.
func newHTTP(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func networks(texts []string) []netip.Prefix {
	found := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		if p, err := config.ParseNetwork(text); err == nil { // the settings were checked
			found = append(found, p)
		}
	}
	return found
}
