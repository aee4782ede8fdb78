package templates_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/templates"
)

// TestEveryLanguageHasEveryMail: a mail in another language is a stopgap while one is being made.
func TestEveryLanguageHasEveryMail(t *testing.T) {
	t.Parallel()
	for _, lang := range templates.Languages() {
		entries, err := os.ReadDir("mail/" + lang)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range entries {
			kinds = append(kinds, strings.TrimSuffix(e.Name(), ".txt"))
		}
		if !slices.Equal(kinds, templates.MailKinds()) {
			t.Errorf("mail/%s has %v, and there are %v", lang, kinds, templates.MailKinds())
		}
	}
	if l := templates.Languages(); l[0] != "en" || !slices.Contains(l, "de") {
		t.Errorf("languages %v", l)
	}
}

// TestOurMailsPass: what owners begin with is in order, and says the same when it takes the place of ours.
func TestOurMailsPass(t *testing.T) {
	t.Parallel()
	for _, kind := range templates.MailKinds() {
		for _, lang := range templates.Languages() {
			source, err := templates.MailSource(kind, lang)
			if err != nil {
				t.Fatal(err)
			}
			if err := templates.CheckMail(kind, lang, source); err != nil {
				t.Errorf("%s in %s: %v", kind, lang, err)
			}
			_, ours, err := templates.Mail(kind, lang, samples())
			if err != nil {
				t.Fatal(err)
			}
			if _, theirs, err := templates.MailFrom(source, kind, lang, samples()); err != nil || theirs != ours {
				t.Errorf("%s in %s as its own source: %v\n%s", kind, lang, err, theirs)
			}
		}
	}
}

// TestCheckMail refuses what reaches further than a mail's own words, or would not end.
func TestCheckMail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, source, want string }{
		{"none", "", "begins with a line Subject"},
		{"no subject", "Hello\n\nHi\n", "begins with a line Subject"},
		{"an empty subject", "Subject: {{with .ListURL}}{{end}}\n\nHi\n", "its subject has to be"},
		{"a long subject", "Subject: " + strings.Repeat("x", 300) + "\n\nHi\n", "its subject has to be"},
		{"no text", "Subject: Hi\n\n\n", "it has no text"},
		{"no end", "Subject: Hi\n\n{{if .ListURL}}\n", "unexpected EOF"},
		{"a name that is none", "Subject: Hi\n\n{{.Nonsense}}\n", "Nonsense"},
		{"a name of another kind", "Subject: Hi\n\n{{.Token}}\n", "Token"},
		{"a name only where there is none", "Subject: Hi\n\n{{if not .LeaveURL}}{{.Nonsense}}{{end}}x\n", "Nonsense"},
		{"a function that is none", "Subject: Hi\n\n{{env \"HOME\"}}\n", "not defined"},
		{"width", "Subject: Hi\n\n{{printf \"%1000000000d\" 1}}\n", "printf is not allowed"},
		{"call", "Subject: Hi\n\n{{call .Address}}\n", "call is not allowed"},
		{"index", "Subject: Hi\n\n{{index .Address 0}}\n", "index is not allowed"},
		{"html", "Subject: Hi\n\n{{.Address | html}}\n", "html is not allowed"},
		{"counting", "Subject: Hi\n\n{{range 1000000000}}x{{end}}\n", "range goes over a name"},
		{"counting by a pipe", "Subject: Hi\n\n{{range (or 1000000000 .Address)}}x{{end}}\n", "range goes over a name"},
		{"itself", "{{define \"a\"}}{{template \"a\"}}{{end}}Subject: Hi\n\n{{template \"a\"}}\n", "begins with a line Subject"},
		{"itself, later", "Subject: Hi\n\n{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}\n", "define and block are not allowed"},
		{"a mail in itself", "Subject: Hi\n\n{{template \"welcome\" .}}\n", "is not allowed"},
		{"variables", "Subject: Hi\n\n{{$a := .Address}}{{$a}}\n", "variables are not allowed"},
		{"the root", "Subject: Hi\n\n{{$.Address}}\n", "is not allowed"},
		{"loops in loops", "Subject: Hi\n\n{{range .A}}{{range .B}}{{range .C}}{{end}}{{end}}{{end}}x\n", "range may stand in one other"},
		{"quotes of quotes", "Subject: Hi\n\n{{quote (quote (quote (quote (quote .Address))))}}\n", "more than 4 functions"},
		{"much", "Subject: Hi\n\n" + strings.Repeat("{{.Address}}", 1300) + "\n", "too much in it"},
		{"long", "Subject: Hi\n\n" + strings.Repeat("x", 17<<10), "longer than 16384 octets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := templates.CheckMail("welcome", "en", tt.source)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if err := templates.CheckMail("signin", "en", "Subject: Hi\n\n{{.ListTitle}}\n"); err == nil {
		t.Error("a mail of the site may name a list")
	}
	for _, tt := range [][2]string{{"no-such", "en"}, {"welcome", "xx"}, {"../en/welcome", "en"}} {
		if err := templates.CheckMail(tt[0], tt[1], "Subject: Hi\n\nHi\n"); err == nil {
			t.Errorf("%s in %s passes", tt[0], tt[1])
		}
	}
	ok := "Subject: Hi {{.Address}}\n\n{{/* a remark */}}{{if and .LeaveURL (ne .Address \"x\")}}Leave: {{.LeaveURL}}{{else}}Stay{{end}}\n"
	if err := templates.CheckMail("welcome", "de", ok); err != nil {
		t.Error(err)
	}
}

// TestMailIsBounded: no source that passes makes a mail that takes long, or has no end.
func TestMailIsBounded(t *testing.T) {
	t.Parallel()
	rows := make([]any, 1000)
	for i := range rows {
		rows[i] = map[string]any{"Label": "", "Code": "", "Text": strings.Repeat("x", 200)}
	}
	data := samples()
	data["Results"] = []any{map[string]any{"Line": "who", "Outcome": "who", "Rows": rows}}
	for _, inner := range []string{strings.Repeat("{{.Text}}", 200), strings.Repeat("{{if not (quote (quote (quote .Text)))}}x{{end}}", 90)} {
		source := "Subject: Hi\n\nHi {{range .Results}}{{range .Rows}}" + inner + "{{end}}{{end}}\n"
		if err := templates.CheckMail("command-answer", "en", source); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, text, err := templates.MailFrom(source, "command-answer", "en", data)
		if took := time.Since(began); took > 10*time.Second || len(text) > 1<<20 {
			t.Errorf("%d octets in %v", len(text), took)
		}
		if strings.Contains(inner, "{{.Text}}") && (err == nil || !strings.Contains(err.Error(), "longer than")) {
			t.Errorf("too long a mail: %v", err)
		}
	}
}

// FuzzCheckMail: whatever is written, it is refused or makes a mail.
func FuzzCheckMail(f *testing.F) {
	f.Add("Subject: x\n\n{{range .Results}}{{.Line}}{{end}}")
	f.Add("Subject: {{.Address}}\n\n{{with .URL}}{{.}}{{else if .Help}}{{say \"a\"}}{{end}}")
	f.Add("Subject: x\n\n{{define \"x\"}}{{end}}{{break}}{{$x}}{{nil}}{{(.A).B}}")
	f.Fuzz(func(t *testing.T, source string) {
		if templates.CheckMail("command-answer", "en", source) == nil {
			if _, text, err := templates.MailFrom(source, "command-answer", "de", samples()); err != nil || text == "" {
				t.Errorf("%q: %q, %v", source, text, err)
			}
		}
	})
}
