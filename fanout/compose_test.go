package fanout

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/smtp/smtpclient"
)

var golden = os.Getenv("UPDATE_GOLDEN") != ""

func testSource(raw string) *source {
	return &source{
		kind: "post", accepted: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		raw: []byte(raw), headerLen: strings.Index(raw, "\r\n\r\n") + 4,
		received:  "Received: from a.example (a.example [192.0.2.1])\r\n\tby lists.example with ESMTP id 7; Tue, 2 Jan 2024 03:04:05 +0000\r\n",
		messageID: "<derived@lists.example>",
		lists:     []listName{{id: 1, local: "dev", host: "lists.example", name: `The "dev" list`}, {id: 2, local: "ops", host: "lists.example"}},
	}
}

// copyOf is what a member gets, dots unstuffed.
func copyOf(m *message, list, member int64) string {
	var b bytes.Buffer
	b.Write(m.before)
	if m.personal {
		b.Write(m.appendPersonal(nil, list, member))
	}
	b.Write(m.after)
	return strings.ReplaceAll(b.String(), "\r\n..", "\r\n.")
}

const postedTwice = "Return-Path: <x@y.example>\r\n" +
	"received: from b.example by a.example; Tue, 2 Jan 2024 03:04:00 +0000\r\n" +
	"LIST-ID: Another\r\n <other.example>\r\n" +
	"From: Ann <ann@a.example>\r\n" +
	"List-Unsubscribe : <mailto:other-leave@other.example>,\r\n\t<https://other.example/>\r\n" +
	"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" +
	"Precedence: bulk\r\nX-List-Id-Not: stays\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nDKIM-Signature: v=1;\r\n\ta=rsa-sha256\r\n" +
	"List-Foo: stays too\r\nno colon here\r\n\r\n" +
	"Line\r\n.\r\n..two\r\nReturn-Path: in the body\r\n\r\n"

func TestComposeGolden(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		base string
		verp bool
		kind string
	}{
		{"personal-https", "https://site.example", true, "post"},
		{"personal-http", "http://127.0.0.1:8080", true, "post"},
		{"shared", "https://site.example", false, "post"},
		{"no-site", "", true, "post"},
		{"owners", "https://site.example", false, "owners"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := testSource(postedTwice)
			src.verp, src.kind = tt.verp, tt.kind
			m, err := compose(src, fakeSealer{}, tt.base)
			if err != nil {
				t.Fatal(err)
			}
			got := copyOf(m, 1, 42)
			file := filepath.Join("testdata", "compose", tt.name+".eml")
			if golden {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			_, body, _ := strings.Cut(postedTwice, "\r\n\r\n")
			if !strings.HasSuffix(got, "\r\n\r\n"+body) {
				t.Error("the body is not the one that was sent")
			}
		})
	}
}

func TestEachListSpeaksForItself(t *testing.T) {
	t.Parallel()
	src := testSource(testMessage)
	src.verp = true
	m, err := compose(src, fakeSealer{}, "https://site.example")
	if err != nil {
		t.Fatal(err)
	}
	if from := m.senderTo(2, 7).Wire(); from != "ops-bounces+b2x7@lists.example" {
		t.Errorf("sender to a member of the nested list is %s", from)
	}
	if text := copyOf(m, 2, 7); !strings.Contains(text, "<mailto:ops-leave@lists.example>,\r\n <https://site.example/leave/l2x7>") {
		t.Errorf("copy to a member of the nested list:\n%s", text)
	}
	if from := m.senderTo(0, 7).Wire(); from != "dev-bounces+b1x7@lists.example" {
		t.Errorf("sender to a member is %s", from)
	}
}

// TestNoCopyHasAPassword: what moderators write into Approved is theirs.
func TestNoCopyHasAPassword(t *testing.T) {
	t.Parallel()
	const posted = "Approved: secret\r\nFrom: ann@a.example\r\nX-APPROVE :\r\n secret\r\nSubject: Approved\r\nX-Approved-By: Ann\r\n\r\nText\r\n"
	for _, kind := range []string{"post", "owners"} {
		src := testSource(posted)
		src.kind = kind
		m, err := compose(src, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		got := copyOf(m, 1, 7)
		if strings.Contains(got, "secret") || !strings.Contains(got, "\r\nSubject: Approved\r\nX-Approved-By: Ann\r\n") {
			t.Errorf("%s:\n%s", kind, got)
		}
	}
}

func TestComposeBadHeaderLength(t *testing.T) {
	t.Parallel()
	src := testSource(testMessage)
	src.headerLen = len(testMessage) + 1
	if _, err := compose(src, fakeSealer{}, ""); err == nil {
		t.Error("composed")
	}
	src.lists = nil
	if _, err := compose(src, fakeSealer{}, ""); !errors.Is(err, errNoList) {
		t.Errorf("error %v", err)
	}
}

func TestHeaderFieldCannotBeEnded(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                  "X: plain\r\n",
		"a\r\nBcc: x@y.example":  "X: a\r\n Bcc: x@y.example\r\n",
		"a\nBcc: x":              "X: a\r\n Bcc: x\r\n",
		"a\rb\x00c":              "X: abc\r\n",
		"folded,\r\n <b>":        "X: folded,\r\n <b>\r\n",
		"ends\r\n":               "X: ends\r\n",
		"empty line\r\n\r\nbody": "X: empty line\r\n body\r\n",
	} {
		var h header
		h.field("X", in)
		if got := h.String(); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestMailtoIsEncoded(t *testing.T) {
	t.Parallel()
	l := listName{local: "a+b%c", host: "xn--bcher-kva.example"}
	if got := mailto(l.role("request"), "help me"); got != "<mailto:a+b%25c-request@xn--bcher-kva.example?subject=help%20me>" {
		t.Error(got)
	}
}

func TestComposeNotice(t *testing.T) {
	t.Parallel()
	src := testSource("")
	src.kind, src.raw, src.headerLen = "notice", nil, 0
	src.notice = notice{
		id: "018c", kind: "join-confirm", address: "Ben@b.example", language: "de",
		params: []byte(`{"Token":"t0","Reply":"dev-confirm+t0@lists.example","URL":"/confirm/t0"}`), made: src.accepted,
	}
	var given map[string]any
	render := func(_, kind, lang string, data any) (string, string, error) {
		given = data.(map[string]any)
		return "Bestätigen:\r\nBcc: x@y.example", "Öffnen Sie\n\n.\n" + given["URL"].(string) + "\n", nil
	}
	m, err := composeNotice(src, render, site{hostname: "lists.example", base: "https://site.example"})
	if err != nil {
		t.Fatal(err)
	}
	text := copyOf(m, 0, 0)
	for _, want := range []string{
		"To: <Ben@b.example>\r\n", "Reply-To: <dev-confirm+t0@lists.example>\r\n", "Auto-Submitted: auto-generated\r\n",
		"Message-ID: <018c@lists.example>\r\n", "Date: Tue, 02 Jan 2024 03:04:05 +0000\r\n", "=C3=96ffnen Sie\r\n\r\n.\r\nhttps://site.example/confirm/t0\r\n",
		`From: "The \"dev\" list" <dev-owner@lists.example>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\nBcc:") || !m.sender.IsZero() {
		t.Errorf("sender %q:\n%s", m.sender, text)
	}
	if given["ListAddress"] != "dev@lists.example" || given["Address"] != "Ben@b.example" || given["Token"] != "t0" {
		t.Errorf("data %v", given)
	}
	render = func(string, string, string, any) (string, string, error) { return "", "", errors.New("no such mail") }
	if _, err := composeNotice(src, render, site{}); err == nil {
		t.Error("composed what cannot be rendered")
	}
}

// TestLinksOfNotices has paths on the site made links by whoever sends the mail, as who queued it
// may not know where the site is.
func TestLinksOfNotices(t *testing.T) {
	t.Parallel()
	src := testSource("")
	src.notice = notice{kind: "welcome", address: "ben@b.example", params: []byte(
		`{"URL":"/lists/dev@a.example","LeaveURL":"/leave/s0","OldURL":"https://old.example/x","NoURL":"","Name":"/URL"}`)}
	for base, want := range map[string]map[string]string{
		"https://site.example/mail": {
			"URL": "https://site.example/mail/lists/dev@a.example", "LeaveURL": "https://site.example/mail/leave/s0",
			"OldURL": "https://old.example/x", "NoURL": "", "Name": "/URL",
		},
		"": {"URL": "", "LeaveURL": "", "OldURL": "https://old.example/x", "NoURL": "", "Name": "/URL"},
	} {
		data, err := noticeData(src, site{hostname: "lists.example", base: base})
		if err != nil {
			t.Fatal(err)
		}
		for name, link := range want {
			if data[name] != link {
				t.Errorf("with base %q, %s is %q, want %q", base, name, data[name], link)
			}
		}
	}
}

func FuzzComposeKeepsBody(f *testing.F) {
	f.Add(testMessage)
	f.Add(postedTwice)
	f.Add("\r\n\r\n")
	f.Add("List-Id: x\r\n\r\nList-Id: y\r\n")
	f.Fuzz(func(t *testing.T, raw string) {
		raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r", ""), "\n", "\r\n")
		i := strings.Index(raw, "\r\n\r\n")
		if i < 0 || !strings.HasSuffix(raw, "\r\n") {
			return
		}
		src := testSource(raw)
		src.verp = true
		m, err := compose(src, fakeSealer{}, "https://site.example")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []smtpclient.Text{m.before, m.after} {
			if !bytes.Equal(smtpclient.Prepare(unstuff(part)), part) {
				t.Fatalf("%q is not prepared", part)
			}
		}
		if got := string(unstuff(m.after)); !strings.HasSuffix(got, raw[i+2:]) {
			t.Fatalf("body of %q became %q", raw, got)
		}
	})
}

func unstuff(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n.."), []byte("\r\n."))
	if bytes.HasPrefix(text, []byte("..")) {
		return text[1:]
	}
	return text
}

// TestListID quotes and folds only where it must (RFC 2919 §3).
func TestListID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 12) + "name"
	for name, want := range map[string]string{
		"":              "<dev.one.example>",
		"One":           "One <dev.one.example>",
		"C++ & friends": "C++ & friends <dev.one.example>",
		"One, two":      `"One, two" <dev.one.example>`,
		`Say "hi"`:      `"Say \"hi\"" <dev.one.example>`,
		"two  spaces":   `"two  spaces" <dev.one.example>`,
		"=?utf-8?q?x?=": `"=?utf-8?q?x?=" <dev.one.example>`,
		"Café":          "=?utf-8?q?Caf=C3=A9?= <dev.one.example>",
		long:            long + "\r\n <dev.one.example>",
	} {
		var h header
		writeListFields(&h, listName{local: "dev", host: "one.example", name: name}, "")
		if got, _, _ := strings.Cut(h.String(), "\r\nList-Post"); got != "List-Id: "+want {
			t.Errorf("%q: %q, want %q", name, got, "List-Id: "+want)
		}
	}
}
