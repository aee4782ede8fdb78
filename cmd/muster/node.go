package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"muster/clock"
	"muster/cmd/muster/config"
	"muster/fanout"
	"muster/lists"
	"muster/lists/dkim"
	"muster/lists/inbound"
	"muster/smtp"
	"muster/smtp/smtpserver"
	"muster/templates"
)

// node is one muster that serves: each part it has the role for, wired together. The parts in
// front take work in, those behind them do it.
type node struct {
	cfg      *config.Config
	log      *slog.Logger
	identity *identity
	db       *database
	lists    *lists.Service
	counts   *inbound.Counts
	mail     []*smtpserver.Server

	smtp, lmtp, http []net.Listener
	certificate      *certificate
	front            []server
	senders          []worker // drain at the moment a stop begins
	back             []worker // go on until nobody wants them any more
}

// server takes work in, until it is shut down.
type server interface {
	// Serve returns nil after Shutdown.
	Serve() error
	// Shutdown takes no more and finishes what is in flight.
	Shutdown(ctx context.Context) error
}

// worker does work until its context ends, and then finishes what is in flight.
type worker struct {
	name string
	run  func(ctx context.Context) error
}

// newNode makes a node: what it cannot have it finds out before it starts a database. Run it, which
// closes it.
func newNode(ctx context.Context, c *config.Config, log *slog.Logger) (*node, error) {
	n := &node{cfg: c, log: log}
	for _, step := range []func(context.Context) error{n.readCertificate, n.listen, n.openData, n.wire} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.close(ctx))
		}
	}
	return n, nil
}

func (n *node) readCertificate(context.Context) (err error) {
	n.certificate, err = loadCertificate(n.cfg)
	return err
}

// listen opens every listener that the node's roles want.
func (n *node) listen(context.Context) error {
	open := func(key string, to *[]net.Listener, addresses ...string) error {
		for _, a := range addresses {
			l, err := listen(key, a)
			if err != nil {
				return err
			}
			*to = append(*to, l)
		}
		return nil
	}
	if n.cfg.Has(config.RoleSMTP) {
		if err := open("smtp_listen", &n.smtp, n.cfg.SMTPListen...); err != nil {
			return err
		}
		if err := open("lmtp_listen", &n.lmtp, n.cfg.LMTPListen...); err != nil {
			return err
		}
	}
	if n.cfg.Has(config.RoleAdmin) {
		if err := open("http_listen", &n.http, n.cfg.HTTPListen); err != nil {
			return err
		}
	}
	for _, l := range n.http {
		n.cfg.ListensOn(l.Addr())
	}
	return nil
}

// smtpAddress is where to post.
func (n *node) smtpAddress() string {
	if len(n.smtp) == 0 {
		return ""
	}
	a := n.smtp[0].Addr()
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

func (n *node) openData(ctx context.Context) (err error) {
	if n.identity, err = takeIdentity(ctx, n.cfg.DataDir); err != nil {
		return err
	}
	n.db, err = serveDatabase(ctx, n.cfg, n.log)
	return err
}

// wire makes the parts. Nothing runs yet.
func (n *node) wire(context.Context) error {
	engine, err := n.newEngine()
	if err != nil {
		return err
	}
	checker, err := n.newChecker()
	if err != nil {
		return err
	}
	n.lists = lists.New(n.db.Pool, lists.Config{
		CheckTemplate: templates.CheckMail, MaxAnswers: n.cfg.MaxAnswers,
		Hostname: n.cfg.Hostname, DefaultDomain: n.cfg.DefaultDomain,
		MaxMessage: int64(n.cfg.Limits.Message), Wake: n.wake(engine), Full: engine.Full, Log: n.log,
		MailAuth: checker, AuthservID: n.cfg.AuthservID, TrustedAuthservID: n.cfg.TrustedAuthservID,
	})
	if err := n.wireBack(engine); err != nil {
		return err
	}
	n.wireMail()
	return n.wireSite(engine)
}

// wireBack makes the parts behind, as the node's roles want them.
func (n *node) wireBack(engine *fanout.Engine) error {
	if n.db.private != nil {
		n.back = append(n.back, watcher("the private database's watch", n.db.private.Watch))
	}
	if n.cfg.Has(config.RoleSMTP) {
		n.back = append(n.back, watcher("the watch over EXPN", n.lists.WatchExpn))
	}
	if n.cfg.Has(config.RoleSMTP) || n.cfg.Has(config.RoleAdmin) {
		n.back = append(n.back, watcher("the watch over the backlog", engine.WatchBacklog))
	}
	if n.cfg.Has(config.RoleFanout) {
		n.senders = append(n.senders, worker{"the fan-out", engine.Run})
	}
	if !n.cfg.Has(config.RoleClock) {
		return nil
	}
	dns, err := fanout.NewDNS(n.cfg.Resolver)
	if err != nil {
		return fmt.Errorf("resolver: %w", err)
	}
	tasks := clock.Tasks(clock.Parts{Pool: n.db.Pool, Lists: n.lists, Fanouts: engine, TXT: dns.TXT, WarnLate: n.cfg.WarnLate})
	c, err := clock.New(n.db.Pool, tasks, clock.Config{Log: n.log})
	if err != nil {
		return err
	}
	n.back = append(n.back, worker{"the clock", c.Run})
	return nil
}

// watcher is a worker that cannot fail.
func watcher(name string, run func(ctx context.Context)) worker {
	return worker{name, func(ctx context.Context) error {
		run(ctx)
		return nil
	}}
}

func (n *node) newEngine() (*fanout.Engine, error) {
	c := fanout.Config{
		Hostname: n.cfg.Hostname, AuthservID: n.cfg.AuthservID, BaseURL: n.cfg.BaseURL, Seals: n.seals, Keys: n.keys, Mail: templates.MailFrom,
		Identity: n.identity.name, Connections: n.cfg.Connections, MaxBacklog: int64(n.cfg.MaxBacklog),
		MaxRefused: n.cfg.MaxRefused, Stopped: n.stopped,
		SpoolDir: n.cfg.DataDir, Log: n.log,
		Grace: n.cfg.ShutdownTimeout * 3 / 4, // the rest is for saving what came of it
	}
	var err error
	if n.cfg.RedirectAllTo != "" {
		if c.RedirectTo, err = smtp.ParseAddress(n.cfg.RedirectAllTo); err != nil {
			return nil, fmt.Errorf("redirect_all_to: %w", err)
		}
	}
	if c.Rate, err = fanout.ParseRate(n.cfg.Rate); err != nil {
		return nil, fmt.Errorf("rate: %w", err)
	}
	if c.Window, err = fanout.ParseWindow(n.cfg.WindowLimit); err != nil {
		return nil, fmt.Errorf("window_limit: %w", err)
	}
	if c.Relays, err = relays(n.cfg.Relay); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if c.Rules, err = rules(n.cfg.Destination); err != nil {
		return nil, fmt.Errorf("destination: %w", err)
	}
	if err := secure(&c, n.cfg); err != nil {
		return nil, fmt.Errorf("tls_out: %w", err)
	}
	if c.Resolver, err = resolver(n.cfg); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	own, err := ownAddresses(n.smtp)
	if err != nil {
		return nil, err
	}
	c.Own = func(ip netip.Addr) bool { return slices.Contains(own, ip) }
	return fanout.New(n.db.Pool, c), nil
}

// seals are the lists' own, in the fan-out's words.
func (n *node) seals(ctx context.Context) (fanout.Sealer, error) { return n.lists.Sealer(ctx) }

// keys are those that sign for a domain. The lists are made after the engine.
func (n *node) keys(ctx context.Context, domain string) ([]*dkim.Key, error) {
	return n.lists.SigningKeys(ctx, domain)
}

// stopped tells owners of a post that the fan-out has paused.
func (n *node) stopped(ctx context.Context, s lists.Stopped) error {
	return n.lists.TellStopped(ctx, s)
}

// close releases what the node holds, the database last.
func (n *node) close(ctx context.Context) error {
	var err error
	for _, listeners := range [][]net.Listener{n.smtp, n.lmtp, n.http} {
		for _, l := range listeners {
			l.Close() // those that were served are closed already
		}
	}
	if n.db != nil {
		err = n.db.Close(ctx)
	}
	if n.identity != nil {
		err = errors.Join(err, n.identity.release())
	}
	return err
}

// errSlowStop is what a stop ends with that took longer than it may.
var errSlowStop = errors.New("not everything in flight was finished in shutdown_timeout; it will be repeated at the next start")

// run serves until do returns, ctx ends or a part fails, and then stops.
func (n *node) run(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	back := startWorkers(ctx, n.back, cancel)
	senders := startWorkers(ctx, n.senders, cancel)
	front := startServers(n.front, cancel)
	stopReload := n.reloadOnHangup(ctx)
	n.logStart()
	err := do(ctx)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	n.log.Info("stopping")
	stopReload()
	err = errors.Join(err, n.stop(context.WithoutCancel(ctx), front, senders, back), n.close(ctx))
	n.log.Info("stopped")
	return err
}

// stop takes no more in and lets the fan-out drain, both from now on: a client that never ends its
// message may not take the time of transactions whose dot is out, which would all be repeated. What
// both rely on ends after them.
func (n *node) stop(ctx context.Context, front *servers, senders, back *workers) error {
	stopping, done := context.WithTimeout(ctx, n.cfg.ShutdownTimeout)
	defer done()
	senders.cancel()
	taking, taken := context.WithTimeout(stopping, n.cfg.ShutdownTimeout/2)
	defer taken()
	err := front.stop(taking)
	if errors.Is(err, errCutOff) { // nothing was promised to them, they will come again
		n.log.Warn("not every client was done in half of shutdown_timeout", "error", err)
		err = nil
	}
	return errors.Join(err, senders.stop(stopping), back.stop(stopping))
}

func (n *node) logStart() {
	for _, one := range []struct {
		what      string
		listeners []net.Listener
	}{{"smtp", n.smtp}, {"lmtp", n.lmtp}, {"http", n.http}} {
		for _, l := range one.listeners {
			n.log.Info("listening", "protocol", one.what, "address", l.Addr().String())
		}
	}
	n.log.Info("serving", "hostname", n.cfg.Hostname, "roles", n.cfg.Roles, "data_dir", n.cfg.DataDir, "started", time.Now())
}
