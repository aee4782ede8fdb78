package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"muster/fanout"
	"muster/lists"
	"muster/lists/inbound"
	"muster/smtp/smtpserver"
)

const metricsPath = "/metrics"

// The queue is asked for anew when what is known of it is so old, whoever scrapes how often, and may
// take so long to tell.
const (
	backlogAge  = 5 * time.Second
	backlogWait = 5 * time.Second
)

// metrics are the figures of a node, for Prometheus. No label of theirs has a value from outside.
type metrics struct {
	trusted func(netip.Addr) bool
	queue   *backlog
	pages   http.Handler
}

func (n *node) newMetrics(engine *fanout.Engine) *metrics {
	queue := &backlog{status: engine.Status, full: engine.Full, log: n.log}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(readBuild()),
		newCollector(queue.collect), newCollector(collectPool(n.db.Pool)), newCollector(collectMail(n.counts)),
		newCollector(collectRefused(n.lists, n.mail)), newCollector(collectCopies(engine)), newCollector(collectReplies(engine)),
	)
	return &metrics{trusted: n.cfg.Trusted(), queue: queue, pages: promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
	})}
}

// before answers what is asked of metricsPath, and leaves the rest to the site.
func (m *metrics) before(site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != metricsPath:
			site.ServeHTTP(w, r)
		case !m.mayAsk(r):
			http.NotFound(w, r)
		default:
			m.queue.refresh(r.Context())
			m.pages.ServeHTTP(w, r)
		}
	})
}

// mayAsk says whether a request came straight from a trusted network. One that a proxy passed on
// did not, though the proxy be next door: whom it speaks for is a claim.
func (m *metrics) mayAsk(r *http.Request) bool {
	for _, passedOn := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(passedOn)) > 0 {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && m.trusted(from.Addr())
}

// emit says one figure.
type emit func(d *prometheus.Desc, value float64, labels ...string)

// collector reads its figures where they are kept, at each scrape.
type collector func(gauge, counter emit)

func newCollector(c collector) prometheus.Collector { return c }

// Describe is prometheus.Collector's: it describes by what there is.
func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect is prometheus.Collector's.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	as := func(kind prometheus.ValueType) emit {
		return func(d *prometheus.Desc, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
		}
	}
	c(as(prometheus.GaugeValue), as(prometheus.CounterValue))
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("muster_"+name, help, labels, nil)
}

func buildInfo(b build) prometheus.Collector {
	info := describe("build_info", "Always 1; the labels say which build runs.", "version", "revision", "go")
	return newCollector(func(gauge, _ emit) { gauge(info, 1, b.Version, b.Revision, b.Go) })
}

// collectMail tells what SMTP and LMTP sessions asked and brought.
func collectMail(counts *inbound.Counts) collector {
	sessions := describe("smtp_sessions", "SMTP and LMTP sessions open.")
	questions := describe("questions_total", "EXPN and VRFY asked, by who asked and what was answered.", "verb", "by", "answer")
	posts := describe("posts_total", "Messages by what became of them, each counted for each recipient.", "outcome")
	return func(gauge, counter emit) {
		gauge(sessions, float64(counts.Sessions()))
		for q, n := range counts.Questions() {
			counter(questions, float64(n), q.Verb, q.By, q.Answer)
		}
		for outcome, n := range counts.Messages() {
			counter(posts, float64(n), outcome)
		}
	}
}

// collectRefused tells what was not taken: messages by the rule, and commands by the reply.
func collectRefused(service *lists.Service, servers []*smtpserver.Server) collector {
	posts := describe("posts_refused_total", "Messages refused, each counted for each recipient, by the rule that refused.", "rule")
	replies := describe("smtp_refused_total", "SMTP and LMTP replies that refused, by their class.", "class")
	return func(_, counter emit) {
		for rule, n := range service.Refusals() {
			counter(posts, float64(n), rule)
		}
		var temporary, permanent int64
		for _, s := range servers {
			later, never := s.Refused()
			temporary, permanent = temporary+later, permanent+never
		}
		counter(replies, float64(temporary), "4xx")
		counter(replies, float64(permanent), "5xx")
	}
}

// collectCopies tells what became of copies here.
func collectCopies(engine *fanout.Engine) collector {
	copies := describe("copies_total", "Copies by what became of them, each counted at each attempt.", "outcome")
	return func(_, counter emit) {
		c := engine.Copies()
		counter(copies, float64(c.Delivered), "delivered")
		counter(copies, float64(c.Deferred), "deferred")
		counter(copies, float64(c.Bounced), "bounced")
		counter(copies, float64(c.Dropped), "dropped")
	}
}

func collectPool(pool *pgxpool.Pool) collector {
	used := describe("database_connections", "Connections to the database, by what they do.", "state")
	most := describe("database_connections_max", "Connections to the database that there may be.")
	return func(gauge, _ emit) {
		s := pool.Stat()
		gauge(used, float64(s.AcquiredConns()), "acquired")
		gauge(used, float64(s.IdleConns()), "idle")
		gauge(most, float64(s.MaxConns()))
	}
}

// backlog is the queue as it was a moment ago.
type backlog struct {
	status func(context.Context) (fanout.Status, error)
	full   func() bool
	log    *slog.Logger

	mu    sync.Mutex
	last  fanout.Status
	err   error
	asked time.Time
}

// refresh asks how the queue is, unless that was asked just now. A scraper that hangs up takes the
// answer from no other. A failure counts as an answer: a database in trouble is not asked more often.
func (b *backlog) refresh(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.asked.IsZero() && time.Since(b.asked) < backlogAge {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backlogWait)
	defer cancel()
	if b.last, b.err = b.status(ctx); b.err != nil {
		b.log.WarnContext(ctx, "the metrics are without the queue", "error", b.err)
	}
	b.asked = time.Now()
}

// collect tells nothing of a queue that could not be read: an old figure would look like a true one.
func (b *backlog) collect(gauge, _ emit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := !b.asked.IsZero() && b.err == nil
	gauge(describe("queue_up", "Whether the queue could be read: 1, else 0 and there are no figures of it."), oneIf(known))
	if !known {
		return
	}
	gauge(describe("queue_unplanned_posts", "Posts and notices accepted, no copy of which is planned."), float64(b.last.Unplanned))
	gauge(describe("queue_waiting_copies", "Copies not tried yet."), float64(b.last.Waiting))
	gauge(describe("queue_deferred_copies", "Copies to be tried again."), float64(b.last.Deferred))
	shards := describe("queue_shards", "Parts of fan-outs, by whether a node may claim them or is sending them.", "state")
	gauge(shards, float64(b.last.Queued), "queued")
	gauge(shards, float64(b.last.Ready), "ready")
	gauge(shards, float64(b.last.Claimed), "claimed")
	gauge(describe("queue_held_copies", "Copies not tried yet that a hold keeps."), float64(b.last.Held))
	gauge(describe("queue_all_held", "1 while all outgoing mail is held."), oneIf(b.last.AllHeld()))
	gauge(describe("queue_full", "1 while so much waits that new posts are put off."), oneIf(b.full()))
	if th := b.last.Throttle; th.Rate.N > 0 || th.Window.N > 0 {
		throttled := describe("queue_throttled", "1 while copies wait because of a limit on all that goes out.", "limit")
		gauge(throttled, oneIf(heldBack(th) == "rate"), "rate")
		gauge(throttled, oneIf(heldBack(th) == "window_limit"), "window_limit")
		if th.Window.N > 0 {
			gauge(describe("queue_window_copies", "Copies that went out in the span of window_limit."), float64(th.Used))
			gauge(describe("queue_window_limit_copies", "Copies that may go out in the span of window_limit."), float64(th.Window.N))
		}
	}
	gauge(describe("queue_set_aside", "Fan-outs and shards set aside for somebody to look."), float64(b.last.Aside))
	gauge(describe("queue_figures_at_least", "1 if the queue is so long that its figures are the least there is."), oneIf(b.last.More))
	age := 0.0
	if !b.last.Oldest.IsZero() {
		age = max(0, time.Since(b.last.Oldest).Seconds()) // the database has a clock of its own
	}
	gauge(describe("queue_oldest_age_seconds", "Since the oldest was accepted that is not finished; 0 if none is."), age)
	collectDestinations(gauge, b.last.Destinations)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
