package lists_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/lists"
	"muster/lists/verdict"
	"muster/smtp"
)

// corpus is a folder of real mail, which lies beside the checkout.
func corpus(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "corpus", folder)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no mail to test with: %v", err)
		}
		t.Skipf("no mail to test with: %v", err)
	}
	return dir
}

// wire is a file as it would arrive: lines end with CR LF, and the line of a mailbox is gone.
func wire(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
}

// field is the value of a header's field, as the corpus writes the short ones.
func field(raw []byte, name string) (string, bool) {
	header, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	for line := range strings.SplitSeq(string(header), "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// unmarked are messages of programs that nothing in header or envelope tells from a person's: with
// a member in From they pass, as they pass everywhere. Precedence alone proves nothing.
func unmarked(file string) bool {
	switch file {
	case "caml-2d7b46ef23.eml", "caml-239b900786.eml", "caml-4aac5c6bb1.eml", "sisimai-rfc3834-03.eml", "bp-polish-autoreply.eml",
		"bp-bluebottle.eml", "synth-noreply-from.eml":
		return true
	}
	return false
}

// TestAutoreplies sends what programs answer to lists, and what only looks like it, with every
// author a member.
func TestAutoreplies(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "autoreply")
	index, err := os.ReadFile(filepath.Join(dir, "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	l := s.list("list@lists.example.com", nil, "owner@a.example")
	for line := range strings.SplitSeq(strings.TrimSpace(string(index)), "\n") {
		columns := strings.Split(line, "\t")
		if len(columns) < 3 || columns[0] == "file" {
			continue
		}
		file, kind, expected := columns[0], columns[1], columns[2]
		m := mail{raw: wire(t, filepath.Join(dir, file)), to: []string{"list@lists.example.com"}, from: "someone@somewhere.example"}
		if sender, ok := field(m.raw, "Return-Path"); ok {
			m.from = strings.Trim(sender, "<> ")
		}
		if to, _ := field(m.raw, "To"); strings.HasSuffix(strings.Trim(to, "<>"), "@lists.example.com") {
			m.to = []string{strings.Trim(to, "<>")}
		}
		if from, ok := field(m.raw, "From"); ok {
			s.join(l, from)
		}
		got := fates(s.accept(m))
		notices := s.notices()
		if answers := len(notices); answers > 0 && (answers > 1 || file != "synth-to-request-unknown.eml") {
			t.Errorf("%s (%s): answered %v", file, kind, notices)
		}
		if want := wantedFate(kind, file, expected, m.to[0]); want != "" && got != want {
			t.Errorf("%s (%s: %s): %s, want %s", file, kind, expected, got, want)
		}
	}
}

// join makes a member of whoever is in From, unless they are one.
func (s *site) join(l lists.List, from string) {
	s.t.Helper()
	box, err := smtp.ParseMailbox(from)
	if err != nil {
		return
	}
	_, err = s.AddMember(s.t.Context(), lists.CLI(), l.ID, lists.NewMember{Mailbox: box})
	if err != nil && lists.KindOf(err) != lists.Exists && lists.KindOf(err) != lists.Invalid {
		s.t.Fatal(err)
	}
}

// wantedFate reads the corpus' expectation; "" where it has none for us.
func wantedFate(kind, file, expected, to string) string {
	switch {
	case unmarked(file):
		return ""
	case strings.HasPrefix(to, "list-request@"):
		if file == "synth-to-request-unknown.eml" {
			return "done"
		}
		return "post.automatic"
	case strings.HasPrefix(to, "list-confirm+"):
		return "post.automatic"
	case strings.HasPrefix(to, "list-owner@"):
		return "accepted"
	case strings.HasPrefix(to, "list-bounces@"):
		return "done"
	case kind == "loop":
		return "post.loop"
	case kind == "trap-human-with-auto-submitted":
		return "post.automatic" // refused where its author is told so
	case kind == "arf":
		return "post.from" // it has none
	case strings.HasPrefix(kind, "trap-"), kind == "ordinary", kind == "bulk", kind == "mdn-request":
		return "accepted"
	}
	return "post.automatic"
}

// TestAcceptRealMail takes all sorts of broken mail in, or refuses it, within a second each, and
// what it keeps it keeps as it came.
func TestAcceptRealMail(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpus(t, "mime"), "*.eml"))
	if err != nil || len(files) < 500 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	env := s.envelope(mail{from: "a@a.example", to: []string{"dev@lists.example"}})
	fate := map[string]int{}
	for _, file := range files {
		raw := wire(t, file)
		began := time.Now()
		out, err := s.Accept(t.Context(), env, mail{raw: raw}.message())
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("%s took %v", filepath.Base(file), d)
		}
		fate[fates(out)]++
		if out[0].Fate != lists.FateAccepted {
			continue
		}
		p, _, err := s.PostByID(t.Context(), lists.CLI(), out[0].Post)
		if err != nil {
			t.Fatal(err)
		}
		var kept bytes.Buffer
		if err := s.WriteRaw(t.Context(), lists.CLI(), p, &kept); err != nil || !bytes.Equal(kept.Bytes(), raw) {
			t.Errorf("%s was not kept as it came: %d octets of %d, %v", filepath.Base(file), kept.Len(), len(raw), err)
		}
	}
	t.Log(fate)
	// What is refused has no From that names one author, or the Message-ID of another file.
	if fate["accepted"] < len(files)*6/10 {
		t.Errorf("accepted %d of %d: %v", fate["accepted"], len(files), fate)
	}
}

// TestRulesReadAnything: what rules read of real mail, whole and cut off, is judged without an error, by a list
// that uses all of them.
func TestRulesReadAnything(t *testing.T) {
	t.Parallel()
	s, l := devSite(t)
	s.set(l, "post_policy=anyone", "approve_password=a long password", "dmarc_fail=hold", "unauthenticated=hold", "header_rules=hold Subject ^$\nhold !Message-ID .",
		"spam_header=X-Spam-Status", "spam_limit=5", "max_size=1KiB", "mime_refused=*.exe application/zip", "text_only=true", "max_recipients=2", "no_subject=hold",
		"not_addressed=hold", "misplaced_command=hold", "digest_quote=hold", "post_rate=1/h", "allowed_posters=@*.example", "new_member_posts=1")
	read, unreadable := 0, 0
	for _, folder := range []string{"mime", "spam", "autoreply", "threads"} {
		files, err := filepath.Glob(filepath.Join(corpus(t, folder), "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range files {
			whole := wire(t, file)
			for _, raw := range [][]byte{whole, whole[:len(whole)*(i%7+1)/9]} {
				m := mail{raw: raw}
				d, _, err := s.Explain(t.Context(), lists.CLI(), l.ID, lists.Explanation{Message: m.message(), Authenticated: i%2 == 0})
				if err != nil || d.Action == "" {
					t.Errorf("%s: %+v, %v", file, d, err)
				}
				for _, step := range d.Trace {
					if step.Rule == verdict.RuleMIME {
						read++
						if step.Answer == verdict.MIMEOdd {
							unreadable++
						}
					}
				}
			}
		}
	}
	if read < 500 || unreadable > read/5 {
		t.Errorf("of %d messages %d could not be taken apart", read, unreadable)
	}
	t.Logf("of %d messages %d could not be taken apart", read, unreadable)
}
