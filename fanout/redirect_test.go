package fanout

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/smtp"
)

func stagingAddress() smtp.Address { return smtp.Address{Local: "all", Domain: "staging.example"} }

// originals are the recipients that the letters of a sink name as theirs. All went to one address.
func (s *sink) originals(t *testing.T) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, l := range s.all() {
		if len(l.to) != 1 || l.to[0] != stagingAddress().String() {
			t.Errorf("a copy went to %q", l.to)
		}
		first, _, _ := strings.Cut(string(l.data), "\r\n")
		original, ok := strings.CutPrefix(first, "X-Original-To: ")
		if !ok {
			t.Errorf("a copy begins with %q", first)
		}
		found[original]++
	}
	return found
}

// Every copy and notice goes to one address, and names whom it was for, whatever the shape of its
// transactions.
func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, verp := range []int{0, 1} {
		w := newWorld(t)
		list := w.list("dev", verp)
		w.member(list, "ben@b.example")
		w.member(list, "cleo@c.example")
		w.member(list, "jörg@c.example")
		s := newSink(t)
		s.ehlo = "250-PIPELINING\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES" // and no 8BITMIME
		c := w.config(s.serve())
		c.RedirectTo = stagingAddress()
		e, stop := w.start(c)
		w.exec(`INSERT INTO notice (id, list, kind, address) VALUES (gen_random_uuid(), $1, 'welcome', 'ann@a.example')`, list)
		w.post(list, testMessage)
		w.exec(`UPDATE post SET eightbit = true`)
		e.Wake()
		w.finished()
		stop()
		want := map[string]int{"ben@b.example": 1, "cleo@c.example": 1, "=?utf-8?q?j=C3=B6rg@c.example?=": 1, "ann@a.example": 1}
		if diff := cmp.Diff(want, s.originals(t)); diff != "" {
			t.Errorf("verp %d (-want +got):\n%s", verp, diff)
		}
	}
}

// A node that sends nobody their mail says so when it starts.
func TestRedirectIsLogged(t *testing.T) {
	t.Parallel()
	for _, to := range []smtp.Address{{}, stagingAddress()} {
		var log bytes.Buffer
		New(nil, Config{RedirectTo: to, Log: slog.New(slog.NewTextHandler(&log, nil))}).warnRedirected(t.Context())
		if said := strings.Contains(log.String(), "level=ERROR") && strings.Contains(log.String(), to.String()); said == to.IsZero() {
			t.Errorf("to %s: %s", to, &log)
		}
	}
}

// Nobody's servers are looked for but those of the one address.
func TestRedirectByMX(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, 30, 3)
	w.member(list, "pat@[192.0.2.9]")
	big := w.list("big", 0)
	w.members(big, 40, 1)
	s := newSink(t)
	r := &askedResolver{}
	c := w.config(s.serve())
	c.Relays, c.Resolver, c.RedirectTo = nil, r, stagingAddress()
	c.DialContext = by(map[string]*sink{"192.0.2.1": s})
	e, stop := w.start(c)
	w.post(list, testMessage)
	w.post(big, testMessage)
	e.Wake()
	w.finished()
	stop()
	if got := s.originals(t); len(got) != 31+40-10 || got["pat@[192.0.2.9]"] != 1 {
		t.Errorf("%d recipients: %v", len(got), got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(map[string]bool{"staging.example": true, "mx.staging.example": true}, r.asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// askedResolver gives every domain a server, and notes who was asked for.
type askedResolver struct {
	mu    sync.Mutex
	asked map[string]bool
}

func (r *askedResolver) note(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[string]bool{}
	}
	r.asked[name] = true
}

func (r *askedResolver) MX(_ context.Context, domain string) ([]MX, error) {
	r.note(domain)
	return []MX{{Host: "mx." + domain}}, nil
}

func (r *askedResolver) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	r.note(host)
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}

// Of the relays those take it that would take mail to that address.
func TestRedirectByRelay(t *testing.T) {
	t.Parallel()
	all := Relay{Addr: "all:25"}
	ours := Relay{Addr: "ours:25", ForListDomain: []string{"lists.example"}}
	inside := Relay{Addr: "inside:25", ForRecipientDomain: []string{"*.example"}}
	other := Relay{Addr: "other:25", ForRecipientDomain: []string{"b.example"}}
	for _, tt := range []struct {
		relays []Relay
		want   []string
	}{
		{nil, nil},
		{[]Relay{all, ours, other}, []string{"all:25", "ours:25"}},
		{[]Relay{all, ours, inside, other}, []string{"ours:25", "inside:25"}},
		{[]Relay{other}, nil},
	} {
		var got []string
		for _, r := range relaysTo("staging.example", tt.relays) {
			if r.ForRecipientDomain != nil {
				t.Errorf("%s is for some recipients only", r.Addr)
			}
			got = append(got, r.Addr)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.relays, diff)
		}
	}
}
