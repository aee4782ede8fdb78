package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"muster/smtp/smtpclient"
	"muster/smtp/smtptest"
)

// stsDNS has TXT records too.
type stsDNS struct {
	fakeDNS
	txt map[string][]string
}

func (d stsDNS) TXT(_ context.Context, name string) ([]string, error) {
	found, ok := d.txt[name]
	if !ok {
		return nil, ErrNoDomain
	}
	if found == nil {
		return nil, errors.New("SERVFAIL")
	}
	return found, nil
}

// web answers in place of all web servers.
type web func(r *http.Request) (*http.Response, error)

func (w web) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func page(status int, kind, text string) *http.Response {
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(text))}
}

const enforced = "version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmx: *.mail.example\r\nmax_age: 86400\r\n"

func TestParsePolicy(t *testing.T) {
	t.Parallel()
	p, err := parsePolicy("version:STSv1\nmode: testing\nmode: enforce\nmx: MX.Example.\nfuture: x\nmax_age: 99999999999\n")
	if err != nil || p.mode != stsTesting || len(p.mx) != 1 || p.mx[0] != "mx.example" || p.life != stsLongest {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := parsePolicy("version: STSv1\nmode: none\nmax_age: 60\n"); err != nil || p.mode != stsNone || p.life != time.Minute {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{
		"", "version: STSv2\nmode: enforce\nmx: a\nmax_age: 1\n", "version: STSv1\nmode: enforce\nmax_age: 1\n",
		"version: STSv1\nmode: force\nmx: a\nmax_age: 1\n", "version: STSv1\nmode: enforce\nmx: a\n", "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n",
	} {
		if p, err := parsePolicy(bad); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
	p, _ = parsePolicy(enforced)
	for host, want := range map[string]bool{"MX.example": true, "a.mail.example": true, "mail.example": false, "a.b.mail.example": false, "x.example": false, "": false} {
		if p.names(host) != want {
			t.Errorf("names %s: %v", host, !want)
		}
	}
}

// A policy is fetched where the DNS announces one, again when the announcement changes, and holds for
// as long as it said, whatever the DNS and the web server do meanwhile.
func TestPoliciesAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		names := stsDNS{txt: map[string][]string{"_mta-sts.a.example": {"v=spf1", "v=STSv1; id=1;"}}}
		var asked int
		answer := func() (*http.Response, error) { return page(200, "text/plain; charset=utf-8", enforced), nil }
		p := newPolicies(&http.Client{Transport: web(func(r *http.Request) (*http.Response, error) {
			asked++
			if r.URL.String() != "https://mta-sts.a.example/.well-known/mta-sts.txt" {
				t.Errorf("asked for %s", r.URL)
			}
			return answer()
		})}, names, slog.New(slog.DiscardHandler))
		want := func(mode stsMode, n int) {
			t.Helper()
			if got, err := p.of(t.Context(), "a.example"); err != nil || got.mode != mode || asked != n {
				t.Errorf("mode %q after %d questions, want %q after %d: %v", got.mode, asked, mode, n, err)
			}
		}
		want(stsEnforce, 1)
		time.Sleep(stsRetry)
		want(stsEnforce, 1) // the same id
		names.txt["_mta-sts.a.example"] = []string{"v=STSv1; id=2"}
		answer = func() (*http.Response, error) { return nil, errors.New("refused") }
		want(stsEnforce, 1) // not asked for as yet
		time.Sleep(stsRetry)
		want(stsEnforce, 2)
		for _, bad := range []*http.Response{page(404, "text/plain", enforced), page(200, "text/html", enforced), page(200, "text/plain", strings.Repeat("x", stsOctets+1))} {
			answer = func() (*http.Response, error) { return bad, nil }
			time.Sleep(stsRetry)
			want(stsEnforce, asked+1)
		}
		answer = func() (*http.Response, error) {
			moved := page(302, "text/plain", "")
			moved.Header.Set("Location", "https://elsewhere.example/")
			return moved, nil
		}
		time.Sleep(stsRetry)
		want(stsEnforce, asked+1)
		names.txt["_mta-sts.a.example"] = nil // the DNS fails
		time.Sleep(stsRetry)
		n := asked
		want(stsEnforce, n)
		delete(names.txt, "_mta-sts.a.example") // and knows it no more
		time.Sleep(stsRetry)
		want(stsEnforce, n)
		time.Sleep(24 * time.Hour)
		want(stsNone, n)
		names.txt["_mta-sts.a.example"] = []string{"v=STSv1; id=3", "v=STSv1; id=4"} // which is it?
		time.Sleep(stsRetry)
		want(stsNone, n)
	})
}

// A policy is read again when half of its time is over, though it is announced as the same, and goes on
// where that fails; who stopped asking has not heard that there is none.
func TestPoliciesAreRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		names := stsDNS{txt: map[string][]string{"_mta-sts.a.example": {"v=STSv1; id=1;"}}}
		var asked int
		answer := func(r *http.Request) (*http.Response, error) { return page(200, "text/plain", enforced), nil } // for a day
		p := newPolicies(&http.Client{Transport: web(func(r *http.Request) (*http.Response, error) {
			asked++
			return answer(r)
		})}, names, slog.New(slog.DiscardHandler))
		well := answer
		want := func(ctx context.Context, mode stsMode, n int) {
			t.Helper()
			if got, err := p.of(ctx, "a.example"); err != nil || got.mode != mode || asked != n {
				t.Errorf("mode %q after %d questions, want %q after %d: %v", got.mode, asked, mode, n, err)
			}
		}
		ended, end := context.WithCancel(t.Context())
		answer = func(r *http.Request) (*http.Response, error) {
			end()
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		want(ended, stsNone, 1)
		answer = well
		want(t.Context(), stsEnforce, 2)
		time.Sleep(12*time.Hour - time.Second)
		want(t.Context(), stsEnforce, 2)
		answer = func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }
		time.Sleep(stsRetry)
		want(t.Context(), stsEnforce, 3)
		want(t.Context(), stsEnforce, 3)
		answer = well
		time.Sleep(stsRetry)
		want(t.Context(), stsEnforce, 4)
		answer = func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }
		time.Sleep(23 * time.Hour)
		want(t.Context(), stsEnforce, 5)
		time.Sleep(time.Hour)
		want(t.Context(), stsNone, 6)
	})
}

// A domain with a policy gets its mail from servers that the policy names and that have a certificate,
// or not at all; in testing it gets it, and what is wrong is logged.
func TestMTASTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	for _, d := range []string{"good.example", "clear.example", "stray.example", "testing.example", "none.example"} {
		w.member(list, "m@"+d)
	}
	safe, clear := smtptest.NewServer(t, smtptest.StartTLS()), smtptest.NewServer(t)
	var logged lockedWriter
	c := w.config(nil)
	quick(&c)
	c.Log = slog.New(slog.NewTextHandler(&logged, nil))
	names := stsDNS{txt: map[string][]string{}}
	names.mx = map[string][]MX{
		"good.example": {{10, "clear"}, {20, "localhost"}}, "clear.example": {{10, "clear"}}, "stray.example": {{10, "localhost"}},
		"testing.example": {{10, "clear"}}, "none.example": {{10, "clear"}},
	}
	names.addrs = map[string][]netip.Addr{"localhost": addrs("192.0.2.1"), "clear": addrs("192.0.2.2")}
	policy := map[string]string{
		"good.example": "enforce\nmx: localhost", "clear.example": "enforce\nmx: clear", "stray.example": "enforce\nmx: other.example", "testing.example": "testing\nmx: other.example",
	}
	for d := range policy {
		names.txt["_mta-sts."+d] = []string{"v=STSv1; id=1"}
	}
	c.Resolver = names
	c.Policies = &http.Client{Transport: web(func(r *http.Request) (*http.Response, error) {
		return page(200, "text/plain", "version: STSv1\nmax_age: 600\nmode: "+policy[strings.TrimPrefix(r.URL.Host, "mta-sts.")]+"\n"), nil
	})}
	c.TLS = safe.ClientTLS()
	c.DialContext = dialServers(map[string]string{"192.0.2.1": safe.Addr(), "192.0.2.2": clear.Addr()})
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "who may have it", func() bool {
		return safe.Copies() == 1 && clear.Copies() == 2 &&
			w.count(`SELECT count(*) FROM delivery WHERE state = 'deferred' AND reply <> ''`) == 2
	})
	for to, want := range map[string]int{"m@good.example": 1, "m@clear.example": 0, "m@stray.example": 0} {
		if copiesTo(safe, to) != want || copiesTo(clear, to) != 0 {
			t.Errorf("%s got %d copies over TLS, %d in clear", to, copiesTo(safe, to), copiesTo(clear, to))
		}
	}
	text := logged.String()
	for _, want := range []string{"not all MX hosts are in the policy", "mail went out that would be held back", "in its MTA-STS policy", "server does not offer STARTTLS"} {
		if !strings.Contains(text, want) {
			t.Errorf("not logged: %s", want)
		}
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	const any, clear, valid, implicit, some = smtpclient.TLSOpportunistic, smtpclient.TLSNone, smtpclient.TLSRequired, smtpclient.TLSImplicit, smtpclient.TLSEncrypted
	for _, tt := range []struct {
		set       Encryption
		own, want smtpclient.TLSPolicy
	}{
		{"", any, any}, {Prefer, any, any}, {Prefer, valid, valid}, {Clear, any, clear}, {Clear, valid, clear}, {Clear, implicit, implicit},
		{Require, any, some}, {Require, valid, valid}, {Verify, any, valid}, {Verify, implicit, implicit},
	} {
		if got := tt.set.policy(tt.own); got != tt.want {
			t.Errorf("%q over %d: %d, want %d", tt.set, tt.own, got, tt.want)
		}
	}
	tr := &traffic{encryption: Require, router: &router{relays: newRelayGroups([]Relay{{Addr: "a:25"}})}}
	for rule, want := range map[*Rule]smtpclient.TLSPolicy{nil: some, {}: some, {TLS: Verify}: valid} {
		l := &lane{traffic: tr, relays: tr.router.relays[0], rule: rule}
		hops, err := l.hops(t.Context())
		if err != nil || hops[0].tls != want || tr.router.relays[0].hops[0].tls != any {
			t.Errorf("rule %+v: %v, %v", rule, hops, err)
		}
	}
	if _, err := ParseEncryption("always"); !errors.Is(err, ErrEncryption) {
		t.Error(err)
	}
}

// A server that offered STARTTLS and does so no more is told of, once.
func TestLostSTARTTLSIsTold(t *testing.T) {
	t.Parallel()
	safe, clear := smtptest.NewServer(t, smtptest.StartTLS()), smtptest.NewServer(t)
	var logged bytes.Buffer
	tr := &traffic{soft: t.Context(), hard: t.Context(), log: slog.New(slog.NewTextHandler(&logged, nil))}
	tr.router = &router{relays: newRelayGroups([]Relay{{Addr: "192.0.2.1:25"}})}
	l := &lane{traffic: tr, name: "relay", relays: tr.router.relays[0], freed: make(chan struct{})}
	for i, s := range []*smtptest.Server{clear, safe, safe, clear, clear} {
		tr.options.DialContext = dialServers(map[string]string{"192.0.2.1": s.Addr()})
		k, err := tr.open(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		k.abort()
		if n, want := strings.Count(logged.String(), "offers it no more"), i/3; n != min(want, 1) {
			t.Errorf("after connection %d: told %d times", i, n)
		}
	}
}

func copiesTo(s *smtptest.Server, to string) int {
	n := 0
	for _, m := range s.Messages() {
		for _, a := range m.To {
			if a.String() == to {
				n++
			}
		}
	}
	return n
}

// dialServers sends connections to addresses of tests to where the servers for them listen.
func dialServers(at map[string]string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		return new(net.Dialer).DialContext(ctx, network, at[host])
	}
}

// lockedWriter is for a log that is read while it is written.
type lockedWriter struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *lockedWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
