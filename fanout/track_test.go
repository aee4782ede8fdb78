package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

const withDSN = "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES"

// tracked sends a post of a list with tracking to a server, and returns the copies by recipient.
func (w *world) tracked(tracking string, verp int, s *sink, change func(*Config)) map[string]*letter {
	w.t.Helper()
	list := w.list("dev", verp)
	w.exec(`UPDATE list SET tracking = $1`, tracking)
	w.member(list, "ben@b.example")
	w.member(list, "jürgen@c.example")
	c := w.config(s.serve())
	if change != nil {
		change(&c)
	}
	e, stop := w.start(c)
	w.post(list, strings.Replace(testMessage, "Subject", "Disposition-Notification-To: ann@a.example\r\nSubject", 1))
	w.exec(`UPDATE post SET ref = 'abcdefghijklmnop'`)
	e.Wake()
	w.finished()
	stop()
	got := map[string]*letter{}
	for _, l := range s.all() {
		for _, to := range l.to {
			got[to] = l
		}
	}
	return got
}

func (l *letter) field(name string) (values []string) { return fieldValues(l.data, name) }

func TestTrackingIsAskedFor(t *testing.T) {
	t.Parallel()
	const author = " ann@a.example"
	for _, tt := range []struct {
		tracking, ehlo string
		verp           int
		said           []string // to ben
		jürgen         string   // RCPT
		receipt        string
	}{
		{"off", withDSN, 1, []string{"MAIL FROM:<dev-bounces+b%[1]dx%[2]d@lists.example> BODY=8BITMIME", "RCPT TO:<ben@b.example>"}, "RCPT TO:<jürgen@c.example>", author},
		{"off", withDSN, 0, []string{"MAIL FROM:<dev-bounces@lists.example>", "RCPT TO:<ben@b.example>"}, "RCPT TO:<jürgen@c.example>", author},
		{"dsn", withDSN, 0, []string{
			"MAIL FROM:<dev-bounces+b%[1]dx%[2]d@lists.example> RET=HDRS ENVID=abcdefghijklmnop",
			"RCPT TO:<ben@b.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;ben@b.example",
		}, `RCPT TO:<jürgen@c.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=utf-8;j\x{FC}rgen@c.example`, author},
		{"dsn", "", 50, []string{"MAIL FROM:<dev-bounces+b%[1]dx%[2]d@lists.example>", "RCPT TO:<ben@b.example>"}, "RCPT TO:<jürgen@c.example>", author},
		{"mdn", withDSN, 1, []string{
			"MAIL FROM:<dev-bounces+b%[1]dx%[2]d@lists.example> RET=HDRS ENVID=abcdefghijklmnop",
			"RCPT TO:<ben@b.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;ben@b.example",
		}, `RCPT TO:<jürgen@c.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=utf-8;j\x{FC}rgen@c.example`, " <dev-bounces+b%[1]dx%[2]d@lists.example>"},
		{"mdn", "", 0, []string{"MAIL FROM:<dev-bounces+b%[1]dx%[2]d@lists.example>", "RCPT TO:<ben@b.example>"}, "RCPT TO:<jürgen@c.example>", " <dev-bounces+b%[1]dx%[2]d@lists.example>"},
	} {
		t.Run(fmt.Sprintf("%s with verp %d, DSN offered %t", tt.tracking, tt.verp, tt.ehlo != ""), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := newSink(t)
			s.ehlo = tt.ehlo
			got := w.tracked(tt.tracking, tt.verp, s, nil)
			ben, list := w.count(`SELECT id FROM member WHERE key = 'ben@b.example'`), w.count(`SELECT id FROM list`)
			l := got["ben@b.example"]
			if l == nil || got["jürgen@c.example"] == nil {
				t.Fatalf("%v", got)
			}
			for i, want := range tt.said {
				if strings.Contains(want, "%") {
					want = fmt.Sprintf(want, list, ben)
				}
				want = strings.TrimSuffix(want, " BODY=8BITMIME")
				said := strings.Replace(l.said[i], " SMTPUTF8", "", 1) // where both are in one transaction
				if said != want {
					t.Errorf("said %q, want %q", said, want)
				}
			}
			if said := got["jürgen@c.example"].said; said[len(said)-1] != tt.jürgen {
				t.Errorf("said %q, want %q", said, tt.jürgen)
			}
			receipt := tt.receipt
			if strings.Contains(receipt, "%") {
				receipt = fmt.Sprintf(receipt, list, ben)
			}
			if to := l.field("disposition-notification-to"); !slices.Equal(to, []string{receipt}) {
				t.Errorf("receipts to %q, want %q", to, receipt)
			}
		})
	}
}

// Where all copies go to somebody else, no report would be about a member.
func TestTrackingNotWhereRedirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newSink(t)
	s.ehlo = withDSN
	got := w.tracked("mdn", 1, s, func(c *Config) { c.RedirectTo = stagingAddress() })
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	for to, l := range got {
		if said := strings.Join(l.said, "\n"); strings.Contains(said, "NOTIFY") || strings.Contains(said, "ENVID") || !slices.Equal(l.field("disposition-notification-to"), []string{" ann@a.example"}) {
			t.Errorf("%s was asked for reports: %s", to, said)
		}
	}
}

func TestTrackedCopiesAreSigned(t *testing.T) {
	t.Parallel()
	src := testSource(testMessage)
	src.verp, src.tracking, src.ref = true, "mdn", "r"
	m := signedMessage(t, src, "https://site.example")
	for member := range int64(3) {
		list := 1 + member%2
		text := copyOf(m, list, member)
		if err := verifySigned([]byte(text), 2); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		local := map[int64]string{1: "dev", 2: "ops"}[list]
		if want := fmt.Sprintf("\r\nDisposition-Notification-To: <%s-bounces+b%dx%d@lists.example>\r\n", local, list, member); !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestReportsAreToldAndForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newSink(t)
	w.tracked("mdn", 1, s, nil)
	var post uuid.UUID
	w.row(`SELECT id FROM post`).into(&post)
	report := func(kind, who, text string) {
		w.exec(`INSERT INTO report (fanout, kind, member, at, host, status, text)
			SELECT f.id, $1, m.id, '2026-11-26 10:00Z'::timestamptz + interval '1 minute' * (SELECT count(*) FROM report), 'far.example', '2.0.0', $3 FROM fanout f, member m WHERE m.key = $2`, kind, who, text)
	}
	report("relayed", "ben@b.example", "")
	report("delivered", "ben@b.example", "to the mailbox")
	report("delivered", "jürgen@c.example", "")
	report("displayed", "ben@b.example", "")
	e := New(w.pool, w.config(nil))
	p, err := e.Progress(t.Context(), post)
	if diff := cmp.Diff([]ReportCount{{Kind: "relayed", Copies: 1}, {Kind: "delivered", Copies: 2}, {Kind: "displayed", Copies: 1}}, p.Reports); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	reports, err := e.Reports(t.Context(), post, "ben@b.example")
	if err != nil || len(reports) != 3 || reports[1].Text != "to the mailbox" || reports[1].Status != "2.0.0" || reports[2].Kind != "displayed" || reports[2].Host != "far.example" {
		t.Errorf("%+v, %v", reports, err)
	}
	if _, err := e.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := w.count(`SELECT count(*) FROM report`); n != 0 {
		t.Errorf("%d reports outlive their post's shards", n)
	}
}

// What is counted is counted up to a bound.
func TestReportCountsSayThatThereAreMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	w.exec(`UPDATE list SET tracking = 'dsn'`)
	w.member(list, "ben@b.example")
	post := w.post(list, testMessage)
	w.plan(true)
	w.exec(`INSERT INTO report (fanout, kind, member) SELECT f.id, 'delivered', g FROM fanout f, generate_series(1, $1::int + 1) g`, MaxCounted)
	p, err := New(w.pool, w.config(nil)).Progress(t.Context(), post)
	if diff := cmp.Diff([]ReportCount{{Kind: "delivered", Copies: MaxCounted, More: true}}, p.Reports); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
