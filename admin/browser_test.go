package admin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"muster/admin"
	"muster/lists"
	"muster/smtp"
)

// chromium is a browser with a profile of its own. Whatever it complains about, a script refused
// by the policy or a file not found, fails the test.
type chromium struct {
	t   *testing.T
	ctx context.Context
	url string
}

// view is a screen.
type view struct {
	name  string
	width int64
	phone bool
	dark  bool
}

func views() []view {
	return []view{{"phone", 390, true, false}, {"phone-dark", 390, true, true}, {"desktop", 1280, false, false}, {"desktop-dark", 1280, false, true}}
}

func newChromium(t *testing.T, url string) *chromium {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Flag("accept-lang", "en"), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	c := &chromium{t: t, ctx: ctx, url: url}
	if err := chromedp.Listen(ctx, c.complain); err != nil {
		t.Fatal(err)
	}
	call(c, log.Enable, cdp.Empty{})
	return c
}

func (c *chromium) complain(event any) {
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		c.t.Errorf("script failed: %v", event.ExceptionDetails)
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError && !strings.Contains(event.Entry.Text, "status of 4") {
			c.t.Errorf("browser complains: %s (%s)", event.Entry.Text, event.Entry.URL)
		}
	}
}

// patience is how long a page may take on a busy machine.
const patience = 30 * time.Second

func (c *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		c.t.Fatal(err)
	}
}

func call[P, R any](c *chromium, command cdp.Command[P, R], params P) R {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

func (c *chromium) open(path string) {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.url + path
	}
	c.do(chromedp.Navigate(path), chromedp.WaitReady(chromedp.CSS("main")))
}

func (c *chromium) fill(selector, text string) {
	c.t.Helper()
	empty := fmt.Sprintf(`document.querySelector(%q).value = ""`, selector)
	c.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Evaluate[chromedp.Void](empty), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press clicks a button and waits for the page that says words.
func (c *chromium) press(selector, words string) {
	c.t.Helper()
	c.do(chromedp.Click(chromedp.CSS(selector)))
	c.says(words)
}

// says waits until the page says words. It asks again and again, because a question that waits in
// the page would end with it when the next one comes.
func (c *chromium) says(words string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	text := ""
	for ctx.Err() == nil {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.querySelector("main") || document.body).innerText`))
		if err == nil && strings.Contains(found, words) {
			return
		}
		text = found
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	c.t.Fatalf("page does not say %q but\n%s", words, text)
}

// look puts the page on every screen, and fails where it is wider than the screen.
func (c *chromium) look(name string) {
	c.t.Helper()
	for _, v := range views() {
		scheme := "light"
		if v.dark {
			scheme = "dark"
		}
		call(c, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: 844, DeviceScaleFactor: 1, Mobile: v.phone})
		call(c, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		var wide bool
		c.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) (err error) {
			wide, err = chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(`document.documentElement.scrollWidth > %d`, v.width)))
			return err
		}))
		if wide {
			c.t.Errorf("%s is wider than a %s", name, v.name)
		}
		c.picture(name + "-" + v.name + ".png")
	}
	call(c, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	call(c, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
}

// picture keeps what the page looks like in the directory MUSTER_SCREENSHOTS, for people to look at.
func (c *chromium) picture(name string) {
	c.t.Helper()
	dir := os.Getenv("MUSTER_SCREENSHOTS")
	if dir == "" {
		return
	}
	beyond := true
	taken := call(c, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
	if err := os.WriteFile(filepath.Join(dir, name), taken.Data, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chromium) signIn(address string) {
	c.t.Helper()
	c.open("/signin")
	c.fill("#address", address)
	c.fill("#password", password)
	c.press(`form[action="/signin"] button`, "My lists")
}

func TestBrowserJoinAndLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newChromium(t, w.url)
	c.open("/")
	c.look("lists")
	c.press(`a[href="/lists/garden@lists.example"]`, "For everybody who grows")
	c.look("list")
	c.fill("#address", "bob@member.example")
	c.fill("#name", "Bob Baumann")
	c.press(`form[action$="/subscribe"] button`, "Look into your mail")
	c.look("asked")
	c.open(w.notice("join-confirm", "bob@member.example"))
	c.look("confirm")
	c.press(`form[action^="/confirm/"] button`, "is on Garden club now")
	c.look("confirmed")
	if !w.isMember("garden@lists.example", "bob@member.example") {
		t.Fatal("joined in the browser, and no member")
	}
	c.open(w.leaveLink("garden@lists.example", "bob@member.example"))
	c.look("leave")
	c.press(`form[action^="/leave/"] button`, "is not on Garden club any more")
	c.open("/lists/nobody@lists.example")
	c.look("missing")
}

func TestBrowserOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, box := range []string{"Anna Berg <anna@example.org>", "bob@member.example", "Céline Dubois <celine@exemple.fr>", "Dieter Lang <dieter.lang@verein-der-gartenfreunde.example>"} {
		w.member("garden@lists.example", box)
	}
	c := newChromium(t, w.url)
	c.open("/manage/lists/garden@lists.example/members")
	c.look("signin")
	c.fill("#address", "owner@people.example")
	c.fill("#password", password)
	c.press(`form[action="/signin"] button`, "anna@example.org")
	c.look("members")
	c.fill("#q", "anna")
	c.press(`form[role="search"] button`, "1 member")
	c.open("/manage/lists/garden@lists.example/members/add")
	c.fill("#members", "Emil <emil@example.org>\nno address\n")
	c.press(`form[action$="/members/add"] button`, "1 was added")
	c.look("add")
	c.open("/manage/lists/garden@lists.example/member?address=anna@example.org")
	c.look("member")
	c.open("/manage/lists/garden@lists.example/settings")
	c.look("settings")
	c.press(`form[action$="/settings"] button`, "Saved.")
	c.open("/manage/lists/garden@lists.example/texts")
	c.look("texts")
	c.open("/manage/lists/garden@lists.example/texts/welcome/en")
	c.press(`button[value="preview"]`, "With sample data")
	c.look("text")
	c.open("/manage/lists/garden@lists.example/roles")
	c.look("roles")
	c.open("/manage/lists/garden@lists.example/members/import")
	c.look("import")
	c.open("/account")
	c.look("account")
	c.open("/manage")
	c.look("manage")
	c.press(`.foot button[value="de"]`, "Meine Listen")
	for _, page := range []string{"", "/members", "/settings", "/roles", "/members/import"} {
		c.open("/manage/lists/garden@lists.example" + page)
		c.look("german" + strings.ReplaceAll(page, "/", "-"))
	}
}

// TestBrowserPicture shows a list as it may look, for the README.
func TestBrowserPicture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.list("c-help@lists.example", "C help", "ann@a.example")
	w.set("c-help@lists.example", "description", `Questions and answers about programming in C: the language, its standard library, compilers, and the bugs that only show up on Fridays.

Beginners are welcome. Please send the shortest program that shows the problem, say which compiler you use, and what you expected instead.

Homework gets hints, not solutions.`)
	c := newChromium(t, w.url)
	c.open("/lists/c-help@lists.example")
	c.look("site")
}

func TestBrowserAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *admin.Config) { c.Queue = &fanout{} })
	c := newChromium(t, w.url)
	c.signIn("admin@people.example")
	c.look("manage-empty")
	c.open("/manage/new")
	c.fill("#address", "chess@lists.example")
	c.fill("#name", "Chess")
	c.look("new")
	c.press(`form[action="/manage/new"] button`, "is ready. Who should be on it?")
	c.look("add-empty")
	c.open("/manage/persons")
	c.look("persons")
	c.open("/manage/domains")
	c.look("domains")
	c.open("/manage/queue")
	c.look("queue")
	c.open("/manage/lists/chess@lists.example/members")
	c.look("members-empty")
}

func TestBrowserHeldPost(t *testing.T) {
	t.Parallel()
	f := &fanout{}
	f.now.Store(&admin.Fanout{Copies: 240, Delivered: 10, Waiting: 230})
	w := newWorld(t, func(c *admin.Config) { c.Progress, c.Queue = f, f })
	const list = "garden@lists.example"
	w.set(list, "post_policy", "moderators")
	w.post(list, "eve@member.example", tulips)
	w.post(list, "frida.with.a.long.name@verein-der-gartenfreunde.example", strings.ReplaceAll(tulips, "tulips@", "roses@"))
	for name, text := range map[string]string{"off topic": "Please write to chat@lists.example.\nThis list is about gardens.", "too long": "Please say it in fewer words."} {
		if err := w.lists.SetCanned(w.ctx(), lists.CLI(), w.find(list).ID, lists.Canned{Name: name, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	c := newChromium(t, w.url)
	c.signIn("owner@people.example")
	c.open("/manage/lists/" + list + "/moderation")
	c.fill("#address", "anna@example.org")
	c.press(`form[action$="/trust"] button`, "anna@example.org")
	c.look("moderation")
	w.set(list, "join_policy", "moderate")
	for _, who := range []string{"dora@d.example", "Frida Freundlich <frida.with.a.long.name@verein-der-gartenfreunde.example>"} {
		box, err := smtp.ParseMailbox(who)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.lists.Subscribe(w.ctx(), lists.Subscription{List: w.find(list).ID, Mailbox: box, How: lists.ConsentWeb}); err != nil {
			t.Fatal(err)
		}
	}
	c.open("/manage/lists/" + list + "/joins")
	c.look("joins")
	held := w.notices("held", "owner@people.example")[0]
	c.open(held)
	c.press(`form[action$="/claim"] button`, "You look at it")
	c.open("/manage/lists/" + list + "/held")
	c.says("Each post is read before it goes to the list.")
	c.look("held")
	c.open(held)
	c.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(d => d.open = true)`))
	c.look("held-post")
	c.fill("#subject", "Tulips again")
	c.do(chromedp.Click(chromedp.CSS(`input[name="drop"]`)))
	c.press(`form[action$="/edit"] button`, "Saved.")
	c.says("→ Tulips again")
	c.look("held-post-edited")
	c.press(`.foot button[value="de"]`, "Sie sehen ihn an")
	c.look("held-post-german")
	c.press(`.foot button[value="en"]`, "You look at it")
	c.press(`form[action$="/release"] button`, "the post is on its way")
	c.says("230\nwaiting")
	c.look("progress")
	f.now.Store(&admin.Fanout{Planned: true, Copies: 240, Delivered: 228, Deferred: 9, Bounced: 3, Replies: []admin.Answer{
		{Host: "mx.example.org", Reply: "250 2.0.0 Ok: queued as 4XyZ", Copies: 228}, {Host: "mail.verein.example", Reply: "450 4.7.1 Greylisted, try again in 300 seconds", Copies: 9},
		{Host: "mx.old.example", Reply: "550 5.1.1 No such user here", Copies: 3},
	}})
	c.says("228\ndelivered") // without anybody reloading the page
	c.look("progress-late")
	f.now.Store(&admin.Fanout{Planned: true, Copies: 240_000, Delivered: 800, Bounced: 1002, Waiting: 238_198, Paused: true, Stopped: true})
	c.says("refused too many of its copies")
	c.look("progress-stopped")
	f.now.Store(&admin.Fanout{Planned: true, Copies: 240, Delivered: 237, Bounced: 3})
	c.says("Done: 240 copies.")
}

// TestBrowserQueueOnAPhone keeps tabs in one row, with the one that is shown in sight, and figures
// without a hole among them.
func TestBrowserQueueOnAPhone(t *testing.T) {
	t.Parallel()
	alarms := &control{}
	alarms.full.Store(true)
	w := newWorld(t, func(c *admin.Config) {
		c.Queue, c.Control, c.RedirectedTo = &fanout{}, alarms, "everything@staging.example"
	})
	c := newChromium(t, w.url)
	c.signIn("admin@people.example")
	// Each time into a language that the page is not in yet, or there is nothing to wait for.
	for _, to := range []struct{ lang, words string }{{"de", "Meine Listen"}, {"en", "My lists"}} {
		lang := to.lang
		c.open("/manage")
		c.press(`.foot button[value="`+lang+`"]`, to.words)
		for path, name := range map[string]string{"/manage/queue": "queue", "/manage/lists/garden@lists.example/settings": "tabs"} {
			c.open(path)
			c.look(name + "-" + lang)
			call(c, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true})
			c.open(path)
			c.finds(`new Set([...document.querySelectorAll(".tabs a")].map(a => a.offsetTop)).size == 1`)
			c.finds(`(a => a.left >= 0 && a.right <= 390)(document.querySelector(".tabs [aria-current]").getBoundingClientRect())`)
			c.finds(`(t => t.scrollHeight == t.clientHeight)(document.querySelector(".tabs"))`)
			c.finds(`[...document.querySelectorAll(".figures")].every(f => Math.abs(f.lastElementChild.getBoundingClientRect().right - f.getBoundingClientRect().right) < 3)`)
			call(c, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
		}
	}
}

// finds fails where an expression is not true of the page.
func (c *chromium) finds(expression string) {
	c.t.Helper()
	c.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && !found {
			c.t.Errorf("not so: %s", expression)
		}
		return err
	}))
}
