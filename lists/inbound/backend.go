package inbound

import (
	"context"
	"log/slog"

	"muster/lists"
	"muster/smtp/smtpserver"
)

// Config is what the sessions need to know of the site. The zero value works.
type Config struct {
	Hostname string       // what Received calls this server; "localhost" if empty
	Log      *slog.Logger // nil: silent
}

// Backend gives sessions of package smtpserver the lists to talk to.
type Backend struct {
	lists *lists.Service
	cfg   Config
}

// New makes a Backend.
func New(service *lists.Service, cfg Config) *Backend {
	if cfg.Hostname == "" {
		cfg.Hostname = "localhost"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Backend{lists: service, cfg: cfg}
}

// NewSession is smtpserver.Backend's. It asks nobody: a greeting waits for no database.
func (b *Backend) NewSession(_ context.Context, c *smtpserver.Client) (smtpserver.Session, error) {
	return &session{lists: b.lists, host: b.cfg.Hostname, client: c,
		log: b.cfg.Log.With("session", c.ID, "client", address(c))}, nil
}

// address is the network address of a client as text; "" for one that came by a unix socket.
func address(c *smtpserver.Client) string {
	if !c.Addr.IsValid() {
		return ""
	}
	return c.Addr.Addr().String()
}
