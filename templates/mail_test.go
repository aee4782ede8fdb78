package templates_test

import (
	"strings"
	"testing"

	"muster/templates"
)

// samples is what fanout gives a mail about a list, with the parameters of every kind.
func samples() map[string]any {
	return map[string]any{
		"Hostname": "mail.example", "BaseURL": "https://lists.example", "Address": "bob@member.example",
		"ListTitle": "Garden club", "ListAddress": "garden@lists.example", "ListURL": "https://lists.example/lists/garden@lists.example",
		"OwnerAddress": "garden-owner@lists.example", "RequestAddress": "garden-request@lists.example", "LeaveAddress": "garden-leave@lists.example",
		"Token": "abcdefghijklmnopqrstuvwxyz", "URL": "https://lists.example/confirm/abcdefghijklmnopqrstuvwxyz",
		"Reply": "garden-confirm+abcdefghijklmnopqrstuvwxyz@lists.example", "Minutes": 15.0,
		"LeaveURL": "https://lists.example/leave/abcdefghijklmnopqrstuvwxyz", "Name": "Bob Baumann", "Reason": "We are full.\nSorry.",
		"Author": "eve@evil.example", "Subject": "Tulips", "Size": 1234.0, "MessageID": "<1@member.example>", "Sentence": "Only members may post.",
		"PostmasterAddress": "postmaster@lists.example", "Answered": 1500.0, "Answer": "550 5.1.1 No such user", "Refused": 1012.0, "Host": "mx.member.example", "Copies": 1012.0, "More": false, "Others": 3.0,
		"Posts": []any{
			map[string]any{"Subject": "Tulips", "Accepted": "2026-11-24T09:12:00.5+01:00", "Copies": 1011.0, "Aside": false, "URL": "https://lists.example/manage/lists/garden@lists.example/posts/1"},
			map[string]any{"Subject": "", "Accepted": "2026-11-24T10:12:00Z", "Copies": 1.0, "Aside": false, "URL": ""},
			map[string]any{"Subject": "Roses", "Accepted": "2026-11-24T11:12:00Z", "Copies": 0.0, "Aside": true, "URL": ""},
		},
		"Places": []any{
			map[string]any{"Name": "member.example", "Copies": 1000.0, "Host": "mx.member.example", "Reply": "451 4.3.0 Try again later"},
			map[string]any{"Name": "", "Copies": 11.0, "Host": "", "Reply": ""},
			map[string]any{"Name": "b.example", "Copies": 1.0, "Host": "", "Reply": "connection refused"},
		},
		"By": "mia@a.example", "Canned": "off topic, too long", "Outcome": "decided", "About": "Tulips", "Actor": "olga@a.example", "Days": 30.0, "Requests": 2.0,
		"JoinsURL": "https://lists.example/manage/lists/garden@lists.example/joins",
		"Held": []any{
			map[string]any{"Author": "eve@evil.example", "Subject": "Tulips", "Since": "2026-11-24T09:12:00Z", "Reason": "moderation",
				"URL": "https://lists.example/manage/lists/garden@lists.example/posts/1", "Reply": "garden-confirm+abcdefghijklmnopqrstuvwxyz@lists.example"},
			map[string]any{"Author": "bob@b.example", "Subject": "", "Since": "2026-11-24T09:12:00Z", "Reason": "own words", "URL": "", "Reply": "garden-confirm+x@lists.example"},
		},
		"Help": true, "Owner": true, "Options": []any{map[string]any{"Key": "mode", "Values": "each, none"}}, "Commands": []any{"set mode=none"},
		"Results": []any{
			map[string]any{"Line": "join", "Outcome": "confirm", "Rows": nil},
			map[string]any{"Line": "info", "Outcome": "info", "Rows": []any{
				map[string]any{"Label": "answer.list", "Code": "", "Text": "Garden club"},
				map[string]any{"Label": "setting.join_policy", "Code": "setting.join_policy.open", "Text": ""},
				map[string]any{"Label": "", "Code": "", "Text": "For gardens."},
			}},
			map[string]any{"Line": "-- ", "Outcome": "end", "Rows": nil},
		},
	}
}

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
