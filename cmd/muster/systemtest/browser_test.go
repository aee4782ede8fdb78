package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a Chromium with a profile of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("accept-lang", "en"),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
		chromedp.WSURLReadTimeout(time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	// The browser lives as long as the context of its first use.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return &browser{t, ctx}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
}

func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

func (b *browser) press(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// says waits until the page says something.
func (b *browser) says(pattern string) {
	b.t.Helper()
	want := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	text := ""
	for ctx.Err() == nil {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
		if err == nil && want.MatchString(found) {
			return
		}
		text = found
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	b.t.Fatalf("the page does not say %q but\n%s", pattern, text)
}

// link finds an address of the site in a mail, as the browser under test reaches it.
func (n *node) link(mail []byte, path string) string {
	n.t.Helper()
	found := regexp.MustCompile(`https://lists\.example(/` + path + `/[a-z2-7]+)`).FindSubmatch(mail)
	if found == nil {
		n.t.Fatalf("no link to /%s/ in\n%s", path, mail)
	}
	return "http://" + n.http + string(found[1])
}

// noticeFor is the mail of ours to somebody whose subject says words.
func (s *sink) noticeFor(t *testing.T, address, words string) []byte {
	t.Helper()
	var mail []byte
	if !s.WaitUntil(arrival, func() bool {
		for _, m := range s.Messages() {
			if len(m.To) == 1 && m.To[0].Key() == address && strings.Contains(m.Header("Subject"), words) {
				mail = m.Data
				return true
			}
		}
		return false
	}) {
		t.Fatalf("no mail to %s about %q", address, words)
	}
	return mail
}

// TestBrowserStory is what a list is for, from the first visit to the last: somebody subscribes in
// the browser, confirms with the link that was mailed, is seen among the members, posts, the owner
// watches the post go out, and they leave with the link in their copy.
func TestBrowserStory(t *testing.T) {
	sink := newSink(t)
	s := newSite(t, sink.addr)
	n := s.start(t.TempDir())
	site := "http://" + n.http
	s.run("", "list", "create", "garden@lists.example", "--name", "Garden club", "--owner", "ann@a.example")
	s.run("correct horse battery", "person", "create", "ann@a.example", "--password-stdin")
	s.run("", "member", "add", "garden@lists.example", "Carl <carl@c.example>", "dora@d.example")
	b := newBrowser(t)

	b.open(site)
	b.says("Garden club")
	b.press(`a[href="/lists/garden@lists.example"]`)
	b.fill("#address", "bob@b.example")
	b.fill("#name", "Bob Baumann")
	b.press(`form[action$="/subscribe"] button`)
	b.says("mail")
	question := sink.noticeFor(t, "bob@b.example", "")
	if strings.Contains(string(question), "Baumann") {
		t.Error("the confirmation repeats what a stranger typed")
	}
	b.open(n.link(question, "confirm"))
	if list := s.run("", "member", "ls", "garden@lists.example"); strings.Contains(list, "bob@b.example") {
		t.Fatal("opening the link was enough to join")
	}
	b.press(`form[action^="/confirm/"] button`)
	b.says("Garden club")
	if list := s.run("", "member", "ls", "garden@lists.example"); !strings.Contains(list, "bob@b.example") {
		t.Fatalf("confirmed and no member:\n%s", list)
	}

	b.open(site + "/signin")
	b.fill("#address", "ann@a.example")
	b.fill("#password", "correct horse battery")
	b.press(`form[action="/signin"] button`)
	b.says("Garden club")
	b.open(site + "/manage/lists/garden@lists.example/members")
	b.says("bob@b.example")

	c := dial(t, n.smtp, "EHLO b.example")
	message := fmt.Sprintf("%s: 7\r\nFrom: Bob <bob@b.example>\r\nTo: garden@lists.example\r\nSubject: Slugs\r\nMessage-ID: <slugs@b.example>\r\n\r\nWhat now?\r\n", tagField)
	if reply, err := c.post("bob@b.example", "garden@lists.example", []byte(message)); err != nil || reply[:3] != "250" {
		t.Fatalf("%q, %v", reply, err)
	}
	b.open(site + "/manage/lists/garden@lists.example")
	b.says("Slugs")
	b.press(`main a[href*="/posts/"]`)
	b.says(`(?i)delivered\D+3|3\D+delivered`)
	for _, member := range []string{"bob@b.example", "carl@c.example", "dora@d.example"} {
		if got := sink.copies(7, member); len(got) != 1 {
			t.Errorf("%s has %d copies", member, len(got))
		}
	}

	b.open(n.link(sink.copies(7, "bob@b.example")[0], "leave"))
	b.says("bob@b.example")
	b.press(`form[action^="/leave/"] button`)
	b.says("(?i)not on Garden club")
	if list := s.run("", "member", "ls", "garden@lists.example"); strings.Contains(list, "bob@b.example") {
		t.Errorf("left and still a member:\n%s", list)
	}
}

// TestBrowserModeration is moderation in the browser, from the mail about a held post to the copies of what
// was made of it.
func TestBrowserModeration(t *testing.T) {
	sink := newSink(t)
	s := newSite(t, sink.addr)
	n := s.start(t.TempDir())
	s.run("", "list", "create", "garden@lists.example", "--name", "Garden club", "--owner", "ann@a.example")
	s.run("", "list", "set", "garden@lists.example", "post_policy=moderators")
	s.run("correct horse battery", "person", "create", "ann@a.example", "--password-stdin")
	s.run("", "member", "add", "garden@lists.example", "bob@b.example", "carl@c.example")
	b := newBrowser(t)
	b.open("http://" + n.http + "/signin")
	b.fill("#address", "ann@a.example")
	b.fill("#password", "correct horse battery")
	b.press(`form[action="/signin"] button`)
	b.says("Garden club")

	post := func(tag int, subject string) {
		t.Helper()
		c := dial(t, n.smtp, "EHLO b.example")
		message := fmt.Sprintf("%s: %d\r\nFrom: Bob <bob@b.example>\r\nTo: garden@lists.example\r\nSubject: %s\r\nMessage-ID: <%d@b.example>\r\n"+
			"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nWhat now?\r\n--b\r\n"+
			"Content-Type: application/x-msdownload; name=evil.exe\r\n\r\nMZ-evil\r\n--b--\r\n", tagField, tag, subject, tag)
		if reply, err := c.post("bob@b.example", "garden@lists.example", []byte(message)); err != nil || reply[:3] != "250" {
			t.Fatalf("%q, %v", reply, err)
		}
	}
	page := func(subject string) string {
		t.Helper()
		mail := sink.noticeFor(t, "ann@a.example", "Waiting on Garden club: "+subject)
		mail = bytes.ReplaceAll(mail, []byte("=\r\n"), nil) // where quoted-printable breaks a line
		found := regexp.MustCompile(`https://lists\.example(/manage/lists/garden@lists\.example/posts/[a-z2-7]+)`).FindSubmatch(mail)
		if found == nil {
			t.Fatalf("no link in\n%s", mail)
		}
		return "http://" + n.http + string(found[1])
	}

	post(8, "Slugs")
	b.open(page("Slugs"))
	b.press(`form[action$="/claim"] button`)
	b.says("You look at it")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(d => d.open = true)`))
	b.press(`input[name="drop"]`)
	b.press(`form[action$="/edit"] button`)
	b.says(`evil\.exe \(application/x-msdownload\)`)
	b.press(`form[action$="/release"] button[name="trust"]`)
	b.says("later posts of bob@b.example are not held")
	b.says(`(?i)delivered\D+2|2\D+delivered`)
	for _, member := range []string{"bob@b.example", "carl@c.example"} {
		got := sink.copies(8, member)
		if len(got) != 1 || strings.Contains(string(got[0]), "MZ-evil") || !strings.Contains(string(got[0]), "What now?") {
			t.Errorf("%s has %q", member, got)
		}
	}
	s.run("", "list", "trusted", "garden@lists.example", "--remove", "bob@b.example")

	post(9, "Snails")
	b.open(page("Snails"))
	b.fill(`textarea[name="reason"]`, "Please ask the other list.")
	b.press(`form[action$="/reject"] button`)
	b.says("Rejected")
	told := sink.noticeFor(t, "bob@b.example", "was not released")
	if !strings.Contains(string(told), "Please ask the other list.") {
		t.Errorf("the author is told\n%s", told)
	}
	if got := sink.copies(9, "carl@c.example"); len(got) != 0 {
		t.Errorf("a rejected post went out: %q", got)
	}
}
