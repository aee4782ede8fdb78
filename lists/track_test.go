package lists_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"muster/lists"
)

// planned makes the fan-out of a post as the planner would, to the members of some lists.
func (s *site) planned(post uuid.UUID, tracking string, of ...int64) {
	s.t.Helper()
	s.exec(`WITH f AS (
			INSERT INTO fanout (post, list, verp, ordered, accepted, expires, planned, lists, tracking)
			SELECT id, list, true, true, accepted, accepted + interval '5 days', now(), $3, $2 FROM post WHERE id = $1 RETURNING id)
		INSERT INTO shard (fanout, dest, turn, size) SELECT f.id, d.id, 1, 1 FROM f, destination d WHERE d.name = 'relay'`, post, tracking, of)
}

func (s *site) reports() string {
	s.t.Helper()
	return one[string](s, `SELECT coalesce(string_agg(concat_ws(' ', m.key, r.kind, r.host, r.status, r.text), ', ' ORDER BY m.key, r.kind), '') FROM report r JOIN member m ON m.id = r.member`)
}

func reportMail(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("dsn", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestReportsOfTrackedCopies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dev := s.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "owner@a.example")
	s.add(dev, "ben@far.example")
	out := s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "accepted")
	other := s.wantFates(post("2", "ann@a.example", "dev@lists.example"), "accepted")
	ref := one[string](s, `SELECT ref FROM post WHERE id = $1`, out[0].Post)
	ben := one[int64](s, `SELECT id FROM member WHERE key = 'ben@far.example'`)
	sealer, err := s.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	today := lists.SealDay(time.Now())
	bounces := func(seal string) string { return "dev-bounces+" + seal + "@lists.example" }
	mine := bounces(sealer.Bounce(dev.ID, ben, today))
	success, displayed := strings.ReplaceAll(reportMail(t, "postfix-success.eml"), "ENVID", ref), reportMail(t, "displayed.eml")
	send := func(to, text string) {
		t.Helper()
		s.wantFates(mail{to: []string{to}, text: text}, "done")
	}
	nothing := func(what string) {
		t.Helper()
		if got := s.reports(); got != "" {
			t.Fatalf("%s: %s", what, got)
		}
	}

	send(mine, success)
	nothing("before it was planned")
	s.planned(other[0].Post, "mdn", dev.ID)
	s.planned(out[0].Post, "off", dev.ID)
	send(mine, success)
	send(mine, displayed)
	nothing("nobody asked")
	s.exec(`UPDATE fanout SET tracking = 'dsn' WHERE post = $1`, out[0].Post)
	send(mine, displayed)
	nothing("nobody asked the reader")
	send(mine, strings.ReplaceAll(success, ref, "aaaaaaaaaaaaaaaa"))
	send(mine, strings.ReplaceAll(success, "Original-Envelope-Id: "+ref+"\n", ""))
	send(mine, strings.ReplaceAll(displayed, "<1@a.example>", "<3@a.example>"))
	nothing("a forged or no name of the post")
	for what, to := range map[string]string{
		"no seal": "dev-bounces@lists.example", "a forged one": bounces(strings.Repeat("a", 26)), "of another day": bounces(sealer.Bounce(dev.ID, ben, today-1)),
		"of another list": bounces(sealer.Bounce(dev.ID+1, ben, today)), "of nobody": bounces(sealer.Bounce(dev.ID, ben+1000, today)), "to leave": bounces(sealer.Leave(dev.ID, ben)),
	} {
		send(to, success)
		nothing("a seal " + what)
	}
	s.add(dev, "late@far.example")
	send(bounces(sealer.Bounce(dev.ID, one[int64](s, `SELECT id FROM member WHERE key = 'late@far.example'`), today)), success)
	nothing("who joined after it")

	s.exec(`UPDATE fanout SET tracking = 'mdn'`)
	send(strings.ToUpper(mine[:strings.IndexByte(mine, '@')])+"@lists.example", strings.Replace(strings.Replace(success, "Action: delivered", "Action: delayed", 1), "2.0.0", "4.4.1", 1))
	send(mine, strings.Replace(strings.Replace(success, "Action: delivered", "Action: delayed", 1), "2.0.0", "4.4.2", 1))
	send(mine, success)
	send(mine, strings.Replace(success, "2.0.0", "2.1.5", 1)) // the first counts
	send(mine, displayed)
	want := "ben@far.example delayed mx.far.example 4.4.2 delivered to maildir, ben@far.example delivered mx.far.example 2.0.0 delivered to maildir, ben@far.example displayed mail.far.example  "
	if got := s.reports(); got != want {
		t.Errorf("reports\n%q, want\n%q", got, want)
	}
	if n := one[int](s, `SELECT count(*) FROM report r JOIN fanout f ON f.id = r.fanout WHERE f.post <> $1`, out[0].Post); n != 0 {
		t.Errorf("%d of another post", n)
	}
	if n := one[int](s, `SELECT (SELECT count(*) FROM bounce) + (SELECT score FROM member WHERE id = $1)`, ben); n != 0 {
		t.Errorf("%d counted as bounces", n)
	}
	s.noticed() // and the owners hear nothing
	// A failure is a bounce as ever, and a report.
	send(mine, strings.NewReplacer("Action: delivered", "Action: failed", "2.0.0", "5.2.2").Replace(success))
	if got := s.reports(); !strings.Contains(got, "failed mx.far.example 5.2.2") || one[int](s, `SELECT count(*) FROM bounce WHERE hard`) != 1 {
		t.Errorf("after a failure: %s", got)
	}
	// What was forgotten stays so.
	s.exec(`DELETE FROM report`)
	s.exec(`DELETE FROM shard`)
	send(mine, success)
	nothing("its shards are gone")
}

// A member of a list that is nested in the post's answers to their own list.
func TestReportsOfNestedLists(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	outer := s.list("outer@lists.example", map[string]string{"post_policy": "anyone"})
	dev := s.list("dev@lists.example", nil)
	s.add(outer, "dev@lists.example")
	s.add(dev, "ben@far.example")
	out := s.wantFates(post("1", "ann@a.example", "outer@lists.example"), "accepted")
	s.planned(out[0].Post, "mdn", outer.ID, dev.ID)
	sealer, err := s.Sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seal := sealer.Bounce(dev.ID, one[int64](s, `SELECT id FROM member WHERE key = 'ben@far.example'`), lists.SealDay(time.Now()))
	for _, text := range []string{
		strings.ReplaceAll(reportMail(t, "postfix-success.eml"), "ENVID", one[string](s, `SELECT ref FROM post`)), reportMail(t, "displayed.eml"),
	} {
		s.wantFates(mail{to: []string{fmt.Sprintf("dev-bounces+%s@lists.example", seal)}, text: text}, "done")
	}
	if n := one[int](s, `SELECT count(*) FROM report`); n != 2 {
		t.Errorf("%d reports: %s", n, s.reports())
	}
}
