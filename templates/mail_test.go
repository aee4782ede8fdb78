package templates_test

import (
	"strings"
	"testing"

	"muster/templates"
)

func samples() map[string]any { return templates.Sample() }

// TestMailConfirmation: nothing of what the one who asked has typed, but for the address, may reach
// somebody who did not ask (a name is a message otherwise).
func TestMailConfirmation(t *testing.T) {
	t.Parallel()
	for _, lang := range templates.Languages() {
		for _, kind := range []string{"join-confirm", "leave-confirm", "already-member", "command-confirm"} {
			data := samples()
			data["Name"] = "BUY THIS"
			_, text, err := templates.Mail(kind, lang, data)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, "BUY THIS") {
				t.Errorf("%s in %s repeats the name that was typed", kind, lang)
			}
		}
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	subject, text, err := templates.Mail("join-confirm", "en", samples())
	if err != nil {
		t.Fatal(err)
	}
	if subject != "Please confirm: garden@lists.example" {
		t.Errorf("subject %q", subject)
	}
	if !strings.Contains(text, "\n  https://lists.example/confirm/abcdefghijklmnopqrstuvwxyz\n") {
		t.Errorf("the link does not stand on a line of its own:\n%s", text)
	}
	_, text, err = templates.Mail("join-refused", "de-CH", samples())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "\n> We are full.\n> Sorry.\n") || !strings.Contains(text, "Guten Tag") {
		t.Errorf("reason not quoted, or not in German:\n%s", text)
	}
	if _, _, err := templates.Mail("no-such", "en", samples()); err == nil {
		t.Error("a kind that does not exist was rendered")
	}
	if _, _, err := templates.Mail("signin", "en", map[string]any{"Address": "a@b.example"}); err == nil {
		t.Error("a mail without its link was rendered")
	}
}

// TestMailsInEveryLanguage: the same kinds, and lines that fit into a mail (RFC 5322 §2.1.1).
func TestMailsInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, kind := range templates.MailKinds() {
		for _, lang := range templates.Languages() {
			subject, text, err := templates.Mail(kind, lang, samples())
			if err != nil {
				t.Errorf("%s in %s: %v", kind, lang, err)
				continue
			}
			if subject == "" || strings.ContainsAny(subject, "\r\n") || strings.Contains(subject+text, "<no value>") {
				t.Errorf("%s in %s: subject %q\n%s", kind, lang, subject, text)
			}
			for line := range strings.Lines(text) {
				if len([]rune(strings.TrimSpace(line))) > 76 && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s in %s: line too long: %q", kind, lang, line)
				}
			}
			if !strings.Contains(text, "\n-- \n") {
				t.Errorf("%s in %s has no line before its signature:\n%s", kind, lang, text)
			}
			if strings.Contains(text, "\n\n\n") {
				t.Errorf("%s in %s has a hole:\n%s", kind, lang, text)
			}
		}
	}
}

// TestMailQuotesNothing has an answer to a line that is not quoted.
func TestMailQuotesNothing(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "de"} {
		data := samples()
		data["Results"] = []any{map[string]any{"Line": "", "Outcome": "unknown", "Rows": nil}, map[string]any{"Line": "help", "Outcome": "help", "Rows": nil}}
		_, text, err := templates.Mail("command-answer", lang, data)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "> \n") || strings.Contains(text, ">\n") || !strings.Contains(text, "\n> help\n") {
			t.Errorf("in %s:\n%s", lang, text)
		}
	}
}
