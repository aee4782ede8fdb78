package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/cmd/muster/config"
	"muster/fanout"
	"muster/lists"
	"muster/migrations/testdb"
	"muster/smtp"
)

// serveNode runs a whole node, which trusts the networks given, until the test ends.
func serveNode(t *testing.T, trusted string, environ ...string) *node {
	t.Helper()
	c, err := config.Load(config.Sources{NoFile: true, Environ: append(environ,
		"MUSTER_DATA_DIR="+t.TempDir(), "MUSTER_HOSTNAME=lists.example", "MUSTER_DATABASE_URL="+testdb.URL(t),
		"MUSTER_SMTP_LISTEN=127.0.0.1:0", "MUSTER_HTTP_LISTEN=127.0.0.1:0", "MUSTER_RELAY=smtp://127.0.0.1:1",
		"MUSTER_TRUSTED_NETWORK="+trusted,
	)})
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- n.run(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n
}

// askExpn asks and hangs up, from an address of this machine.
func askExpn(t *testing.T, n *node, from, list, want string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", n.smtpAddress())
	if err != nil {
		t.Skipf("this machine has no address %s to ask from: %v", from, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "EXPN "+list+"@lists.example\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(all), "\r\n"+want) {
		t.Errorf("EXPN from %s: %q, want %s", from, all, want)
	}
}

// getMetrics asks the node's site; header may be "".
func getMetrics(t *testing.T, n *node, header string) (status int, page string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.http[0].Addr().String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != "" {
		r.Header.Set(header, "127.0.0.1")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestMetricsOfANode(t *testing.T) {
	t.Parallel()
	n := serveNode(t, "127.0.0.1/32")
	dev, err := n.lists.CreateList(t.Context(), lists.CLI(), lists.NewList{Address: smtp.Address{Local: "dev", Domain: "lists.example"}})
	if err != nil {
		t.Fatal(err)
	}
	bob := lists.NewMember{Mailbox: smtp.Mailbox{Address: smtp.Address{Local: "bob", Domain: "b.example"}}}
	if _, err := n.lists.AddMember(t.Context(), lists.CLI(), dev.ID, bob); err != nil {
		t.Fatal(err)
	}
	askExpn(t, n, "127.0.0.1", "dev", "250 <bob@b.example>")
	askExpn(t, n, "127.0.0.2", "dev", "252 ")
	askExpn(t, n, "127.0.0.2", "dev", "252 ")
	askExpn(t, n, "127.0.0.1", "nosuch", "550 ")
	status, page := getMetrics(t, n, "")
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{
		`muster_questions_total{answer="listed",by="trusted",verb="EXPN"} 1`,
		`muster_questions_total{answer="cannot_tell",by="stranger",verb="EXPN"} 2`,
		`muster_questions_total{answer="refused",by="stranger",verb="VRFY"} 0`,
		`muster_posts_total{outcome="accepted"} 0`, `muster_posts_refused_total{rule="not-member"} 0`,
		`muster_smtp_refused_total{class="4xx"} 0`, `muster_smtp_refused_total{class="5xx"} 1`, `muster_copies_total{outcome="delivered"} 0`,
		`muster_copies_total{outcome="bounced"} 0`, `muster_queue_shards{state="ready"} 0`, `muster_queue_shards{state="claimed"} 0`,
		"muster_smtp_sessions ", "muster_queue_up 1", "muster_queue_unplanned_posts 0",
		"muster_queue_oldest_age_seconds 0", `muster_database_connections{state="idle"} `, "muster_database_connections_max ",
		"muster_queue_held_copies 0", "muster_queue_all_held 0", "muster_queue_full 0",
		`muster_build_info{go="go1.`, "go_goroutines ",
	} {
		if !strings.Contains(page, "\n"+want) {
			t.Errorf("%s is not in\n%s", want, page)
		}
	}
	for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"} {
		if status, _ := getMetrics(t, n, header); status != http.StatusNotFound {
			t.Errorf("passed on with %s: status %d", header, status)
		}
	}
}

func TestMetricsAreNotForStrangers(t *testing.T) {
	t.Parallel()
	n := serveNode(t, "192.0.2.0/24")
	if status, page := getMetrics(t, n, ""); status != http.StatusNotFound || strings.Contains(page, "muster_") {
		t.Errorf("status %d:\n%s", status, page)
	}
}

func TestMetricsLeaveTheRestToTheSite(t *testing.T) {
	t.Parallel()
	m := &metrics{trusted: func(netip.Addr) bool { return false }}
	site := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for path, want := range map[string]int{"/metrics": http.StatusNotFound, "/": http.StatusTeapot, "/metrics/": http.StatusTeapot, "/lists/metrics": http.StatusTeapot} {
		w := httptest.NewRecorder()
		m.before(site).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
}

// figures are what a backlog tells, by the name at the start of each.
func figures(b *backlog) map[string]float64 {
	found := map[string]float64{}
	gauge := func(d *prometheus.Desc, value float64, _ ...string) {
		_, name, _ := strings.Cut(d.String(), `fqName: "muster_queue_`)
		name, _, _ = strings.Cut(name, `"`)
		found[name] = value
	}
	b.collect(gauge, nil)
	return found
}

// However often it is scraped, the queue is read every few seconds only, and what could not be read
// is not told.
func TestBacklogIsReadNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked int64
		var trouble error
		b := &backlog{full: func() bool { return false }, log: slog.New(slog.DiscardHandler), status: func(ctx context.Context) (fanout.Status, error) {
			asked++
			if ctx.Err() != nil {
				t.Error("the scraper that hung up takes the answer away")
			}
			return fanout.Status{Waiting: asked, Deferred: 2, Aside: 3, More: true, Oldest: time.Now().Add(-time.Minute)}, trouble
		}}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 {
			b.refresh(gone)
		}
		got := figures(b)
		if asked != 1 || got["waiting_copies"] != 1 || got["deferred_copies"] != 2 || got["set_aside"] != 3 || got["oldest_age_seconds"] != 60 ||
			got["figures_at_least"] != 1 || got["up"] != 1 {
			t.Errorf("asked %d times: %v", asked, got)
		}
		time.Sleep(backlogAge)
		b.refresh(gone)
		if got := figures(b); asked != 2 || got["waiting_copies"] != 2 {
			t.Errorf("later, asked %d times: %v", asked, got)
		}
		trouble = errors.New("no database")
		time.Sleep(backlogAge)
		b.refresh(gone)
		b.refresh(gone)
		if got := figures(b); asked != 3 || len(got) != 1 || got["up"] != 0 {
			t.Errorf("in trouble, asked %d times: %v", asked, got)
		}
	})
}
