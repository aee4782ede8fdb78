package lists_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/lists"
)

// mailed is what an answer to commands says.
type mailed struct {
	to, language string
	lines        []string // "line: outcome"
	rows         []string
	params       map[string]any
}

// commands sends a mail to -request and returns its answer and the question, nil where there is none.
func (s *site) commands(from, text string, change func(*lists.Envelope)) (answer, question *mailed) {
	s.t.Helper()
	m := mail{from: from, to: []string{"dev-request@lists.example"}, text: "From: " + from + "\nMessage-ID: <c1@a.example>\n\n" + text + "\n"}
	if out := s.takeAs(m, change); out.Fate != lists.FateDone {
		s.t.Fatalf("%q: %+v", text, out)
	}
	return s.mailed()
}

func (s *site) mailed() (answer, question *mailed) {
	s.t.Helper()
	for _, n := range s.notices() {
		m := &mailed{to: n.Address, language: n.Language, params: n.Params}
		switch n.Kind {
		case lists.NoticeCommandAnswer:
			m.read()
			answer = m
		case lists.NoticeCommandConfirm:
			for _, c := range n.Params["Commands"].([]any) {
				m.lines = append(m.lines, c.(string))
			}
			question = m
		}
	}
	return answer, question
}

func (m *mailed) read() {
	for _, r := range m.params["Results"].([]any) {
		r := r.(map[string]any)
		m.lines = append(m.lines, fmt.Sprintf("%s: %s", r["Line"], r["Outcome"]))
		rows, _ := r["Rows"].([]any)
		for _, row := range rows {
			row := row.(map[string]any)
			m.rows = append(m.rows, strings.TrimSpace(fmt.Sprintf("%s %s%s", row["Label"], row["Code"], row["Text"])))
		}
	}
}

// wantLines fails unless a mail went to an address and says so.
func wantLines(t *testing.T, m *mailed, to string, lines ...string) {
	t.Helper()
	if m == nil {
		t.Fatalf("no mail, want %q to %s", lines, to)
	}
	if m.to != to || !slices.Equal(m.lines, lines) {
		t.Errorf("mailed to %s: %q, want %q to %s", m.to, m.lines, lines, to)
	}
}

// outside is a client whose mail for a.example proves nothing; authSite's own address proves it.
func outside(env *lists.Envelope) { env.Client = "198.51.100.1" }

// TestCommandsProved: whose domain vouches for them is obeyed at once, by the rights they have.
func TestCommandsProved(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	l := s.list("other@lists.example", nil)
	s.add(l, "ann@a.example")
	answer, question := s.commands("ann@a.example", "set mode none\nset hidden on\nset\nset mode never\nset name Ann\nset nonsense\nadd bob@b.example\nwho\nwhich", nil)
	wantLines(t, answer, "ann@a.example", "set mode none: done", "set hidden on: done", "set: set", "set mode never: option", "set name Ann: option",
		"set nonsense: option", "add bob@b.example: owners", "who: nothing", "which: which")
	if question != nil {
		t.Errorf("asked %+v", question)
	}
	if answer.params["Help"] != true || answer.params["Owner"] != false || answer.params["MessageID"] != "<c1@a.example>" {
		t.Errorf("%v", answer.params)
	}
	want := []string{"mode none", "state active", "hidden true", "own_posts true", "addressed_posts true", "dev@lists.example (mode none)", "other@lists.example"}
	if !slices.Equal(answer.rows, want) { // ann hides from all but owners, herself too
		t.Errorf("rows %q, want %q", answer.rows, want)
	}
	if actor, action, _ := s.audited(); actor != "ann@a.example" || action != "member.set" {
		t.Errorf("%s of %s is noted", action, actor)
	}
	answer, _ = s.commands("ann@a.example", "leave", nil)
	wantLines(t, answer, "ann@a.example", "leave: done")
	answer, _ = s.commands("ann@a.example", "set mode each\nwho", nil)
	wantLines(t, answer, "ann@a.example", "set mode each: no-member", "who: roster")
}

// TestCommandsConfirmed: what nobody vouches for is done when its author answers, and not before.
func TestCommandsConfirmed(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	answer, question := s.commands("owner@a.example", "add Mallory's words <bob@b.example>\nset mode none\ndel ann@a.example\nstats\npending\nhelp", outside)
	wantLines(t, answer, "owner@a.example", "add: confirm", "set mode=none: no-member", "del: confirm", "stats: confirm", "pending: confirm", "help: help")
	wantLines(t, question, "owner@a.example", "add bob@b.example", "del ann@a.example", "stats", "pending")
	if n := one[int](s, `SELECT count(*) FROM member WHERE left_at IS NULL AND key = 'bob@b.example'`); n != 0 {
		t.Fatal("added before the answer")
	}
	first := question.params["Reply"].(string)

	// A newer question takes the place of the older.
	_, question = s.commands("owner@a.example", "add bob@b.example\nadd ann@a.example\nstats", outside)
	confirm := func(to, want string) {
		t.Helper()
		m := mail{from: "phone@elsewhere.example", to: []string{to}, text: "From: phone@elsewhere.example\nSubject: Re: Please confirm\n\n> add\n"}
		s.wantFates(m, want)
	}
	confirm(first, "done")
	if answer, _ = s.mailed(); answer == nil || answer.lines[0] != "confirm: expired" {
		t.Errorf("the older question: %+v", answer)
	}
	robot := mail{from: "owner@a.example", to: []string{question.params["Reply"].(string)}, text: "From: owner@a.example\nAuto-Submitted: auto-replied\n\nAway\n"}
	s.wantFates(robot, "post.automatic")
	confirm(question.params["Reply"].(string), "done")
	answer, _ = s.mailed()
	wantLines(t, answer, "owner@a.example", "add bob@b.example: done", "add ann@a.example: member", "stats: stats")
	if want := []string{"answer.members 2", "answer.posts 0", "answer.held 0", "answer.joins 0"}; !slices.Equal(answer.rows, want) {
		t.Errorf("rows %q, want %q", answer.rows, want)
	}
	if got := one[string](s, `SELECT name || ' ' || consent FROM member WHERE key = 'bob@b.example'`); got != " owner" {
		t.Errorf("bob is %q", got)
	}
	confirm(question.params["Reply"].(string), "done")
	if answer, _ = s.mailed(); answer == nil || answer.lines[0] != "confirm: before" || answer.to != "phone@elsewhere.example" {
		t.Errorf("a second answer: %+v", answer)
	}
	// No page of the site answers it.
	_, err := s.Confirm(t.Context(), strings.TrimPrefix(strings.Split(question.params["Reply"].(string), "@")[0], "dev-confirm+"), "")
	wantKind(t, err, lists.Expired)
}

// TestCommandsForged: a forger learns nothing of whom they pretend to be, and who has no right is not asked.
func TestCommandsForged(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	for _, from := range []string{"ann@a.example", "owner@a.example", "nobody@a.example"} {
		m := mail{from: "eve@e.example", to: []string{"dev-request@lists.example"}, text: "From: " + from + "\n\nset mode none\nadd x@x.example\nwho\nwhich\nstats\n"}
		s.takeAs(m, outside)
		answer, question := s.mailed()
		wantLines(t, answer, "eve@e.example", "set mode=none: maybe", "add: maybe", "who: maybe", "which: maybe", "stats: maybe")
		if question == nil || question.to != from { // each may ask which
			t.Errorf("%s is asked %+v", from, question)
		}
	}
	if answer, question := s.commands("nobody@a.example", "set mode none\nadd x@x.example\nstats\npending\nwho", outside); question != nil {
		t.Errorf("asked %+v", question)
	} else {
		wantLines(t, answer, "nobody@a.example", "set mode=none: no-member", "add: owners", "stats: owners", "pending: owners", "who: roster")
	}
}

// TestCommandsOfOwners: add, del, pending and stats, with AUTH.
func TestCommandsOfOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "moderators", "join_policy": "moderate"}, "owner@a.example")
	s.accept(post("1", "eve@e.example", "dev@lists.example"))
	s.accept(joinMail("new@n.example", "dev-join@lists.example"))
	s.notices()
	signedIn := func(env *lists.Envelope) { env.By = as("owner@a.example") }
	answer, question := s.commands("owner@a.example", "add Bob <bob@b.example>\nadd bob@b.example\nadd dev-owner@lists.example\nadd @\ndel nobody@b.example\npending\nstats\nhelp", signedIn)
	wantLines(t, answer, "owner@a.example", "add Bob <bob@b.example>: done", "add bob@b.example: member", "add dev-owner@lists.example: address",
		"add @: address", "del nobody@b.example: not-member", "pending: pending", "stats: stats", "help: help")
	if question != nil || answer.params["Owner"] != true {
		t.Errorf("%+v, asked %+v", answer.params, question)
	}
	want := []string{"answer.post eve@e.example: Hello", "answer.join new@n.example", "answer.members 1", "answer.posts 0", "answer.held 1", "answer.joins 1"}
	if !slices.Equal(answer.rows, want) {
		t.Errorf("rows %q, want %q", answer.rows, want)
	}
	answer, _ = s.commands("owner@a.example", "del bob@b.example\nadd bob@b.example", signedIn)
	wantLines(t, answer, "owner@a.example", "del bob@b.example: done", "add bob@b.example: gone")
}

// TestWho obeys the setting that says who may be told the members, and hides who hides.
func TestWho(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	l := s.list("dev2@lists.example", nil, "owner@a.example")
	s.add(l, "ann@a.example", "Bob <bob@b.example>", "hid@b.example")
	s.exec(`UPDATE member SET hidden = true WHERE key = 'hid@b.example'`)
	for _, tt := range []struct {
		expn, from string
		want       string
	}{
		{"members", "ann@a.example", "ann@a.example Bob <bob@b.example>"},
		{"members", "owner@a.example", "ann@a.example Bob <bob@b.example> hid@b.example"},
		{"members", "nobody@a.example", ""},
		{"anyone", "nobody@a.example", "ann@a.example Bob <bob@b.example>"},
		{"owners", "ann@a.example", ""},
		{"nobody", "ann@a.example", ""},
		{"nobody", "owner@a.example", "ann@a.example Bob <bob@b.example> hid@b.example"},
	} {
		if _, err := s.SetList(t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: "expn", Value: tt.expn}}); err != nil {
			t.Fatal(err)
		}
		s.takeAs(mail{from: tt.from, to: []string{"dev2-request@lists.example"}, text: "From: " + tt.from + "\n\nwho\n"}, nil)
		answer, _ := s.mailed()
		if got := strings.Join(answer.rows, " "); got != tt.want {
			t.Errorf("%s asked by %s: %q, want %q", tt.expn, tt.from, got, tt.want)
		}
	}
}

// TestJoinWithOptions keeps what was wanted until somebody agrees.
func TestJoinWithOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ policy, to, text, ask, want string }{
		{"confirm", "dev-join+nomail+hidden", "", "join-confirm", "none true"},
		{"confirm", "dev-request", "subscribe dev nomail", "join-confirm", "none false"},
		{"open", "dev-join+nomail", "", "join-confirm", "none false"}, // mail proves nothing
		{"moderate", "dev-subscribe+nomail", "", "join-request", "none false"},
		{"both", "dev-request", "join mode=none hide=yes", "join-confirm", "none true"},
	} {
		t.Run(tt.policy+" "+tt.to, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			l := s.list("dev@lists.example", map[string]string{"join_policy": tt.policy}, "owner@a.example")
			s.wantFates(mail{from: "ann@x.example", to: []string{tt.to + "@lists.example"}, text: "From: ann@x.example\n\n" + tt.text + "\n"}, "done")
			if n := one[int](s, `SELECT count(*) FROM member`); n != 0 {
				t.Fatal("joined unasked")
			}
			for _, n := range s.notices() {
				if n.Kind == lists.NoticeJoinConfirm {
					s.wantFates(mail{from: "ann@x.example", to: []string{n.Params["Reply"].(string)}, text: "From: ann@x.example\n\nyes\n"}, "done")
				}
			}
			if tt.policy == "moderate" || tt.policy == "both" {
				if _, err := s.ApproveJoin(t.Context(), lists.CLI(), l.ID, one[int64](s, `SELECT id FROM join_request`)); err != nil {
					t.Fatal(err)
				}
			}
			if got := one[string](s, `SELECT mode || ' ' || hidden FROM member`); got != tt.want {
				t.Errorf("joined with %s, want %s", got, tt.want)
			}
		})
	}
	s := newSite(t)
	s.list("dev@lists.example", nil)
	if got, _ := s.answer(mail{from: "ann@x.example", to: []string{"dev-join+nonsense@lists.example"}, text: "From: ann@x.example\n\n\n"}); !slices.Equal(got, []string{"option"}) {
		t.Errorf("an option that is none: %q", got)
	}
}

// TestOpenListJoinedByMail: whose domain vouches for them joins an open list at once, nobody else.
func TestOpenListJoinedByMail(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	s.list("open@lists.example", map[string]string{"join_policy": "open"})
	m := mail{from: "new@a.example", to: []string{"open-join@lists.example"}, text: "From: new@a.example\n\n\n"}
	s.takeAs(m, outside)
	s.noticed("join-confirm new@a.example")
	s.takeAs(m, nil)
	s.noticed("welcome new@a.example")
	// Where people confirm, they do.
	m.to = []string{"dev-join@lists.example"}
	s.takeAs(m, nil)
	s.noticed("join-confirm new@a.example")
}

// TestJoinSignedIn is told that it is done, and not that a question comes.
func TestJoinSignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", nil)
	answer, _ := s.commands("ann@a.example", "join nomail", func(env *lists.Envelope) { env.By = as("ann@a.example") })
	wantLines(t, answer, "ann@a.example", "join nomail: done")
	if got := one[string](s, `SELECT mode FROM member`); got != "none" {
		t.Errorf("mode %s", got)
	}
}

// TestCommandTokenExpires: an answer that comes too late does nothing.
func TestCommandTokenExpires(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	_, question := s.commands("ann@a.example", "set mode none", outside)
	s.exec(`UPDATE token SET expires = now()`)
	s.wantFates(mail{from: "ann@a.example", to: []string{question.params["Reply"].(string)}, text: "From: ann@a.example\n\nyes\n"}, "done")
	if answer, _ := s.mailed(); answer == nil || answer.lines[0] != "confirm: expired" {
		t.Errorf("%+v", answer)
	}
	if got := one[string](s, `SELECT mode FROM member`); got != "each" {
		t.Errorf("mode %s", got)
	}
}

// TestQuestionsAboutCommandsAreLimited: nobody can have an owner asked on and on.
func TestQuestionsAboutCommandsAreLimited(t *testing.T) {
	t.Parallel()
	s := authSite(t, authTexts(), "")
	questions, limited := 0, 0
	for range 9 {
		answer, question := s.commands("ann@a.example", "set mode none", outside)
		if question != nil {
			questions++
		}
		if answer.lines[0] == "set mode=none: limited" {
			limited++
		}
	}
	if questions != 5 || limited != 4 {
		t.Errorf("asked %d times, refused %d", questions, limited)
	}
	if n := one[int](s, `SELECT count(*) FROM token WHERE used IS NULL`); n != 1 {
		t.Errorf("%d open questions", n)
	}
}

// TestAnswersInTheirLanguage: a member's own, or the list's.
func TestAnswersInTheirLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil)
	s.exec(`UPDATE list SET language = 'de'`)
	s.add(l, "ann@x.example", "bob@x.example")
	s.exec(`UPDATE member SET language = 'en' WHERE key = 'ann@x.example'`)
	for from, want := range map[string]string{"ann@x.example": "en", "bob@x.example": "de", "new@x.example": "de"} {
		if answer, _ := s.commands(from, "help", nil); answer == nil || answer.language != want {
			t.Errorf("%s is answered %+v, want %s", from, answer, want)
		}
	}
}

// TestCommandsOfAllSorts sends commands as mail programs write them.
func TestCommandsOfAllSorts(t *testing.T) {
	t.Parallel()
	html := "From: ann@x.example\nSubject: =?utf-8?q?info?=\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" +
		"<html><body><div>he=\nlp</div><div>end</div><div>join</div></body></html>\n"
	flowed := "From: ann@x.example\nContent-Type: text/plain; charset=iso-8859-1; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\nwhi=63h =\n\n-- \njoin\n"
	s := newSite(t)
	s.list("dev@lists.example", nil)
	for text, want := range map[string][]string{html: {"info", "help", "end"}, flowed: {"nothing"}} {
		got, _ := s.answer(mail{from: "ann@x.example", to: []string{"dev-request@lists.example"}, text: text})
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q, of %s", got, want, text)
		}
	}
}

// TestCorporaToCommands sends broken, automatic and unwanted mail to every address that does something:
// nothing panics, nothing takes long or much, and no program is answered.
func TestCorporaToCommands(t *testing.T) {
	t.Parallel()
	var files []string
	for _, folder := range []string{"mime", "autoreply", "spam"} {
		err := filepath.WalkDir(corpus(t, folder), func(name string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && strings.HasSuffix(name, ".eml") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 600 {
		t.Fatalf("%d files", len(files))
	}
	s := newSite(t)
	s.list("dev@lists.example", nil, "owner@a.example")
	env := s.envelope(mail{from: "ann@x.example", to: []string{"dev-request@lists.example", "dev-join@lists.example", "dev-owner@lists.example"}})
	env.Each = true
	for _, file := range files {
		raw := wire(t, file)
		began := time.Now()
		if _, err := s.Accept(t.Context(), env, mail{raw: raw}.message()); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("%s took %v", filepath.Base(file), d)
		}
		automatic := false
		for _, name := range []string{"Auto-Submitted", "Precedence", "X-Autoreply", "List-Id"} {
			v, ok := field(raw, name)
			automatic = automatic || ok && !strings.HasPrefix(strings.ToLower(v), "no") && !strings.HasPrefix(strings.ToLower(v), "first-class") && !strings.HasPrefix(strings.ToLower(v), "normal")
		}
		if found := s.notices(); automatic && len(found) > 0 {
			t.Errorf("%s is answered: %v", filepath.Base(file), found)
		}
	}
}

// TestBombsToCommands: mail made to exhaust who takes it apart costs no more than what is looked at.
func TestBombsToCommands(t *testing.T) {
	s := newSite(t)
	s.list("dev@lists.example", nil)
	head := "From: ann@x.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b0\n\n"
	var nested, flat strings.Builder
	nested.WriteString(head)
	for i := range 10_000 {
		fmt.Fprintf(&nested, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
	}
	flat.WriteString(head)
	for range 20_000 {
		flat.WriteString("--b0\n\njoin\n")
	}
	for name, text := range map[string]string{
		"nested": nested.String(), "flat": flat.String(),
		"base64": "From: ann@x.example\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat(strings.Repeat("aGVscAo", 10)+"\n", 300_000),
		"html":   "From: ann@x.example\nContent-Type: text/html\n\n" + strings.Repeat("<div><table><tr><td>", 100_000),
		"a word": "From: ann@x.example\n\n" + strings.Repeat("set", 3_000_000),
	} {
		m := mail{from: "ann@x.example", to: []string{"dev-request@lists.example"}, text: text}
		env, message := s.envelope(m), m.message()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		if _, err := s.Accept(t.Context(), env, message); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 || took > 5*time.Second {
			t.Errorf("%s took %v and allocated %d MiB", name, took, grown>>20)
		}
	}
}
