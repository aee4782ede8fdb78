package inbound

import (
	"context"
	"log/slog"
	"time"

	"muster/lists"
	"muster/smtp/smtpserver"
)

// Config is what the sessions need to know of the site. The zero value works.
type Config struct {
	Hostname string       // what Received calls this server; "localhost" if empty
	Log      *slog.Logger // nil: silent
	// Wait is how long the lists may take to answer a question, and three times that a message; 0:
	// 20 s. A database that hangs is then 451 like one that is gone (RFC 5321 §4.5.3.2 has clients
	// wait for minutes), and does not use up all sessions.
	Wait time.Duration
}

const (
	defaultWait = 20 * time.Second
	messageWait = 3 // times Wait
)

// Backend gives sessions of package smtpserver the lists to talk to.
type Backend struct {
	lists  *lists.Service
	cfg    Config
	counts *Counts
}

// New makes a Backend.
func New(service *lists.Service, cfg Config) *Backend {
	if cfg.Hostname == "" {
		cfg.Hostname = "localhost"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Wait == 0 {
		cfg.Wait = defaultWait
	}
	return &Backend{lists: service, cfg: cfg, counts: newCounts()}
}

// Counts is what the sessions were asked and brought.
func (b *Backend) Counts() *Counts { return b.counts }

// NewSession is smtpserver.Backend's. It asks nobody: a greeting waits for no database.
func (b *Backend) NewSession(_ context.Context, c *smtpserver.Client) (smtpserver.Session, error) {
	b.counts.open.Add(1) // until Close
	return &session{lists: b.lists, host: b.cfg.Hostname, client: c, wait: b.cfg.Wait, counts: b.counts,
		log: b.cfg.Log.With("session", c.ID, "client", address(c))}, nil
}

// address is the network address of a client as text; "" for one that came by a unix socket.
func address(c *smtpserver.Client) string {
	if !c.Addr.IsValid() {
		return ""
	}
	return c.Addr.Addr().String()
}
