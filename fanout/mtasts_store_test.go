package fanout

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"
)

// A policy that was read holds for another process, and another node, which can read it no more, until its time
// is over; one that asks for nothing ends it.
func TestPoliciesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := stsDNS{txt: map[string][]string{"_mta-sts.a.example": {"v=STSv1; id=1;"}, "_mta-sts.b.example": {"v=STSv1; id=1;"}}}
	text := enforced
	node := func(reachable bool) *policies {
		p := newPolicies(&http.Client{Transport: web(func(*http.Request) (*http.Response, error) {
			if !reachable {
				return nil, errors.New("refused")
			}
			return page(200, "text/plain", text), nil
		})}, names, slog.New(slog.DiscardHandler))
		p.store = w.pool
		return p
	}
	want := func(p *policies, domain string, mode stsMode) {
		t.Helper()
		got, err := p.of(t.Context(), domain)
		if err != nil || got.mode != mode || mode != stsNone && (len(got.mx) != 2 || !got.names("x.mail.example")) {
			t.Errorf("%s: %+v, %v", domain, got, err)
		}
	}
	want(node(true), "a.example", stsEnforce)
	want(node(false), "a.example", stsEnforce)
	want(node(false), "b.example", stsNone)
	names.txt["_mta-sts.a.example"] = nil // the DNS fails too
	want(node(false), "a.example", stsEnforce)
	delete(names.txt, "_mta-sts.a.example")
	want(node(false), "a.example", stsEnforce)

	locked, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := node(true).of(locked, "a.example"); err == nil {
		t.Errorf("where the database does not answer it is %+v", got)
	}

	w.exec(`UPDATE sts_policy SET until = now() - interval '1 second'`)
	want(node(false), "a.example", stsNone)
	names.txt["_mta-sts.a.example"] = []string{"v=STSv1; id=2"}
	want(node(true), "a.example", stsEnforce)
	w.exec(`UPDATE sts_policy SET until = now() + interval '10 years'`) // the clock was ahead
	p := node(false)
	want(p, "a.example", stsEnforce)
	if left := time.Until(p.known["a.example"].until); left > 24*time.Hour {
		t.Errorf("it is good for %s", left)
	}
	text = "version: STSv1\nmode: none\nmax_age: 86400\n"
	names.txt["_mta-sts.a.example"] = []string{"v=STSv1; id=3"}
	want(node(true), "a.example", stsNone)
	if n := w.count(`SELECT count(*) FROM sts_policy`); n != 0 {
		t.Errorf("%d policies", n)
	}
}

// What holds no more goes, and of too many those that end first.
func TestPrunePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`INSERT INTO sts_policy (domain, id, mode, mx, life, until)
		SELECT 'd' || n, '1', 'enforce', '{mx}', interval '1 day', now() + (n - 3) * interval '1 hour' FROM generate_series(1, 10) n`)
	for _, tt := range []struct{ most, gone, left int }{{100, 3, 7}, {100, 0, 7}, {5, 2, 5}} {
		n, err := prunePolicies(t.Context(), w.pool, tt.most)
		if err != nil || n != int64(tt.gone) || w.count(`SELECT count(*) FROM sts_policy`) != tt.left {
			t.Errorf("at most %d: %d deleted, %v", tt.most, n, err)
		}
	}
	if n := w.count(`SELECT count(*) FROM sts_policy WHERE domain IN ('d6', 'd10')`); n != 2 {
		t.Error("those that end last are gone")
	}
	if err := New(w.pool, w.config(nil)).PrunePolicies(t.Context()); err != nil {
		t.Error(err)
	}
}

// What announces itself in no form that the standard has is not there.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"v=STSv1; id=20260101T000000;": "20260101T000000", "v=STSv1; id=a\x00b": "", "v=STSv1; id=\xff": "", "v=STSv1; id=123456789012345678901234567890123": "",
	} {
		p := &policies{txt: stsDNS{txt: map[string][]string{"_mta-sts.a.example": {text}}}.TXT}
		if id, err := p.announced(t.Context(), "a.example"); id != want || err != nil {
			t.Errorf("%q: %q, %v", text, id, err)
		}
	}
}
