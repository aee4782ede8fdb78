package lists_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"muster/lists"
)

func (s *site) bring(l lists.List, file string, opts lists.ImportOptions) lists.ImportReport {
	s.t.Helper()
	report, err := s.Import(s.t.Context(), lists.CLI(), l.ID, strings.NewReader(file), opts)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// tell is a report in one line, with the refused lines and why.
func tell(r lists.ImportReport) string {
	text := fmt.Sprintf("added %d already %d refused %d", r.Added, r.Already, r.Refused)
	for _, refusal := range r.Refusals {
		text += fmt.Sprintf("; %d %s %s", refusal.Line, refusal.Text, refusal.Code)
	}
	return text
}

func TestImport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	inner := s.list("inner@a.example", nil)
	s.add(l, "there@x.example", "left@x.example")
	if err := s.RemoveMember(t.Context(), lists.CLI(), l.ID, addr(t, "left@x.example"), false); err != nil {
		t.Fatal(err)
	}
	const file = "address,name,hidden\nnew@x.example,New,true\nNEW@x.example,Twice,\nThere@X.example,,\nleft@x.example,,\n" +
		"nonsense,,\ninner@a.example,,\npostmaster@a.example,,\ndev@a.example,,\nother@x.example,Other,\n"
	const want = "added 3 already 2 refused 4; 5 left@x.example member.removed; 6 nonsense,, import.address; 8 postmaster@a.example member.own; 9 dev@a.example member.self"
	if got := tell(s.bring(l, file, lists.ImportOptions{DryRun: true})); got != want {
		t.Errorf("dry run: %s\nwant %s", got, want)
	}
	if n := one[int](s, `SELECT count(*) FROM member WHERE left_at IS NULL`); n != 1 {
		t.Errorf("a dry run left %d members", n)
	}
	if got := tell(s.bring(l, file, lists.ImportOptions{})); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	s.noticed()
	m, err := s.Member(t.Context(), lists.CLI(), l.ID, addr(t, "new@x.example"))
	if err != nil || m.Name != "New" || !m.Hidden || m.Address != "new@x.example" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := s.Member(t.Context(), lists.CLI(), l.ID, addr(t, "inner@a.example")); err != nil || m.Nested == nil || *m.Nested != inner.ID {
		t.Errorf("%+v, %v", m, err)
	}
	if how := one[string](s, `SELECT consent || ' ' || consent_from FROM member WHERE key = 'new@x.example'`); how != "import cli" {
		t.Errorf("consent %q", how)
	}
	if actor, action, params := s.audited(); actor != "cli" || action != "member.import" || params["added"] != 3.0 {
		t.Errorf("audited %s %s %v", actor, action, params)
	}
	if got := tell(s.bring(l, file, lists.ImportOptions{Again: true})); !strings.HasPrefix(got, "added 1 already 5 refused 3;") {
		t.Errorf("again: %s", got)
	}
	if n := one[int](s, `SELECT count(*) FROM tombstone`); n != 0 {
		t.Error("the tombstone of a member")
	}
}

func TestImportWelcomes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	s.add(l, "there@x.example")
	s.bring(l, "there@x.example\nnew@x.example\n", lists.ImportOptions{DryRun: true, Welcome: true})
	s.noticed()
	s.bring(l, "there@x.example\nnew@x.example\n", lists.ImportOptions{Welcome: true})
	mail := s.noticed("welcome new@x.example")[0]
	link, _ := mail.Params["LeaveURL"].(string)
	if _, who, err := s.LeaveBySeal(t.Context(), link[strings.LastIndexByte(link, '/')+1:], ""); err != nil || who != "new@x.example" {
		t.Errorf("the link in the mail: %s, %v", who, err)
	}
}

// TestSlowImportsLeaveConnections has files that never end hold a few connections at most.
func TestSlowImportsLeaveConnections(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	var writers []*io.PipeWriter
	done := make(chan error)
	const n = 3
	for range n {
		r, w := io.Pipe()
		writers = append(writers, w)
		go func() {
			_, err := s.Import(t.Context(), lists.CLI(), l.ID, r, lists.ImportOptions{})
			done <- err
		}()
	}
	for i, w := range writers { // each is past its beginning; the rest of it does not come
		go fmt.Fprintf(w, "u%d@x.example\n%s", i, strings.Repeat("\n", 100_000))
	}
	time.Sleep(300 * time.Millisecond)
	if held := s.pool.Stat().AcquiredConns(); held != 2 {
		t.Errorf("%d connections are held", held)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Import(ctx, lists.CLI(), l.ID, strings.NewReader("late@x.example\n"), lists.ImportOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an import beyond: %v", err)
	}
	for _, w := range writers {
		_ = w.Close()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestImportOfManyBatches(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	const n = 21_000 // a batch is 20,000
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "u%d@d%d.example\n", (i*7919)%n, i%10)
	}
	fmt.Fprint(&file, "u0@d0.example\n\nbad\n") // u0 came in the first batch
	calls := 0
	opts := lists.ImportOptions{Progress: func(r lists.ImportReport) { calls++ }}
	for _, tt := range []struct {
		dry  bool
		want string
	}{
		{true, "added 21000 already 1 refused 1; 21003 bad import.address"},
		{false, "added 21000 already 1 refused 1; 21003 bad import.address"},
		{true, "added 0 already 21001 refused 1; 21003 bad import.address"},
		{false, "added 0 already 21001 refused 1; 21003 bad import.address"},
	} {
		opts.DryRun, calls = tt.dry, 0
		if got := tell(s.bring(l, file.String(), opts)); got != tt.want || calls < 2 {
			t.Errorf("dry=%v: %s after %d calls, want %s", tt.dry, got, calls, tt.want)
		}
	}
	if n := one[int](s, `SELECT count(*) FROM pg_class WHERE relname LIKE 'import%' AND relpersistence = 't'`); n != 0 {
		t.Errorf("%d temporary tables left", n)
	}
}

func TestImportKeepsWhatCameBeforeAnError(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	broken := errors.New("the upload broke off")
	r := io.MultiReader(strings.NewReader("a@x.example\nb@x.example\n"), iotest.ErrReader(broken))
	report, err := s.Import(t.Context(), lists.CLI(), l.ID, r, lists.ImportOptions{})
	if !errors.Is(err, broken) || report.Added != 2 || !s.isMember(l, "a@x.example") {
		t.Errorf("%s, %v", tell(report), err)
	}
	if _, action, _ := s.audited(); action != "member.import" {
		t.Errorf("audited %s", action)
	}
}

func TestImportBoundsItsReport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	report := s.bring(l, strings.Repeat(strings.Repeat("no address ", 50)+"\n", 3000), lists.ImportOptions{})
	if report.Refused != 3000 || len(report.Refusals) != lists.MaxRefusals || len(report.Refusals[0].Text) > 100 {
		t.Errorf("%d refused, %d told", report.Refused, len(report.Refusals))
	}
}

func TestImportOfWhoOwnsOnlyTheOuterList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("outer@a.example", nil, "ann@x.example")
	s.list("secret@a.example", map[string]string{"advertised": "false"}, "abe@x.example")
	report, err := s.Import(t.Context(), as("ann@x.example"), l.ID, strings.NewReader("secret@a.example\npostmaster@a.example\n"), lists.ImportOptions{})
	if err != nil || report.Refused != 2 {
		t.Fatalf("%s, %v", tell(report), err)
	}
	a, b := report.Refusals[0], report.Refusals[1]
	if strings.ReplaceAll(a.Reason, a.Text, "X") != strings.ReplaceAll(b.Reason, b.Text, "X") {
		t.Errorf("%q tells a list from %q", a.Reason, b.Reason)
	}
}

func TestExportIsImportedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	from, to := s.list("from@a.example", nil), s.list("to@a.example", nil)
	file := "address;name;mode;state;hidden;own_posts;language;vacation;addressed_posts\n" +
		"=1+1@x.example;=HYPERLINK(\"http://evil\");each;active;false;true;\n" +
		"Zoë@bücher.example;Zoë, \"Z\";none;user;true;false;de;2027-07-01..2027-07-21;false\n" +
		"c@x.example;-1;each;bounce;false;true;\nd@x.example;+1;each;active;false;true;\ne@x.example;@SUM(A1);each;active;false;true;\n" +
		"\"\"\"quoted local\"\"@x.example\";Q;each;moderator;false;true;\n"
	if r := s.bring(from, file, lists.ImportOptions{}); r.Added != 6 {
		t.Fatal(tell(r))
	}
	var first, second bytes.Buffer
	if err := s.Export(t.Context(), lists.CLI(), from.ID, &first); err != nil {
		t.Fatal(err)
	}
	if r := s.bring(to, first.String(), lists.ImportOptions{}); r.Added != 6 {
		t.Fatal(tell(r))
	}
	if err := s.Export(t.Context(), lists.CLI(), to.ID, &second); err != nil {
		t.Fatal(err)
	}
	a, b := records(t, first.String()), records(t, second.String())
	for i := range a {
		if i > 0 {
			a[i][7], b[i][7] = "", "" // joined
			if name := a[i][1]; name != "" && strings.ContainsAny(name[:1], "=+-@\t\r") {
				t.Errorf("the name %q runs in a spreadsheet", name)
			}
		}
		if fmt.Sprint(a[i]) != fmt.Sprint(b[i]) {
			t.Errorf("%q came back as %q", a[i], b[i])
		}
	}
	if len(a) != 7 || fmt.Sprint(a[0]) != "[address name mode state hidden own_posts language joined vacation addressed_posts]" {
		t.Errorf("%q", a)
	}
}

func records(t *testing.T, file string) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestExportPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@a.example", nil)
	s.exec(`INSERT INTO member (list, key, address, domain) SELECT $1, a, a, 'x.example' FROM
		(SELECT 'u' || lpad(i::text, 6, '0') || '@x.example' AS a FROM generate_series(1, 12000) i) m`, l.ID)
	var out bytes.Buffer
	if err := s.Export(t.Context(), lists.CLI(), l.ID, &out); err != nil {
		t.Fatal(err)
	}
	all := records(t, out.String())
	if len(all) != 12_001 || all[1][0] != "u000001@x.example" || all[12_000][0] != "u012000@x.example" {
		t.Errorf("%d records", len(all))
	}
}
