package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/cascadia"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/net/html"

	"muster/admin"
	"muster/lists"
	"muster/migrations/testdb"
	"muster/smtp"
	"muster/templates"
)

// world is a site on a database of its own, with people and lists in it.
type world struct {
	t     testing.TB
	pool  *pgxpool.Pool
	lists *lists.Service
	url   string
}

const password = "correct horse battery"

// newWorld makes admin@, owner@ and other@ persons at people.example, a list that owner@ owns, a
// private one of theirs, and one of other@.
func newWorld(t testing.TB, change ...func(*admin.Config)) *world {
	t.Helper()
	w := &world{t: t, pool: testdb.New(t)}
	var handler atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.lists = lists.New(w.pool, lists.Config{Hostname: "lists.example", CheckTemplate: templates.CheckMail})
	cfg := admin.Config{Service: w.lists, BaseURL: w.url, Ping: w.pool.Ping, Log: testLog(t)}
	for _, c := range change {
		c(&cfg)
	}
	site, err := admin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := site.Handler()
	handler.Store(&h)
	w.person("admin@people.example", true)
	w.person("owner@people.example", false)
	w.person("other@people.example", false)
	w.list("garden@lists.example", "Garden club", "owner@people.example")
	w.list("hidden@lists.example", "Hidden list", "owner@people.example")
	w.set("hidden@lists.example", "advertised", "false")
	w.list("foreign@lists.example", "Another list", "other@people.example")
	return w
}

func (w *world) person(address string, isAdmin bool) {
	w.t.Helper()
	_, err := w.lists.CreatePerson(w.ctx(), lists.CLI(), lists.NewPerson{Address: parse(w.t, address), Admin: isAdmin, Password: password})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) list(address, name, owner string) lists.List {
	w.t.Helper()
	l, err := w.lists.CreateList(w.ctx(), lists.CLI(), lists.NewList{Address: parse(w.t, address), Name: name,
		Description: "For everybody who grows something.", Owners: []smtp.Address{parse(w.t, owner)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) find(address string) lists.List {
	w.t.Helper()
	l, err := w.lists.ListByAddress(w.ctx(), lists.CLI(), parse(w.t, address))
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) set(address, key, value string) {
	w.t.Helper()
	if _, err := w.lists.SetList(w.ctx(), lists.CLI(), w.find(address).ID, []lists.Change{{Key: key, Value: value}}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) member(list, mailbox string) lists.Member {
	w.t.Helper()
	box, err := smtp.ParseMailbox(mailbox)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := w.lists.AddMember(w.ctx(), lists.CLI(), w.find(list).ID, lists.NewMember{Mailbox: box})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// isMember asks the database.
func (w *world) isMember(list, address string) bool {
	w.t.Helper()
	_, err := w.lists.Member(w.ctx(), lists.CLI(), w.find(list).ID, parse(w.t, address))
	if err != nil && lists.KindOf(err) != lists.NotFound {
		w.t.Fatal(err)
	}
	return err == nil
}

// notices are the links in the mails of a kind to an address.
func (w *world) notices(kind, address string) []string {
	w.t.Helper()
	rows, err := w.pool.Query(w.ctx(), `SELECT $3 || coalesce(params->>'URL', '') FROM notice WHERE kind = $1 AND address = $2 ORDER BY made`, kind, address, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var links []string
	for rows.Next() {
		var link string
		if err := rows.Scan(&link); err != nil {
			w.t.Fatal(err)
		}
		links = append(links, link)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return links
}

func (w *world) notice(kind, address string) string {
	w.t.Helper()
	links := w.notices(kind, address)
	if len(links) != 1 {
		w.t.Fatalf("%d mails of kind %s to %s, want 1", len(links), kind, address)
	}
	return links[0]
}

func (w *world) ctx() context.Context { return w.t.Context() }

func parse(t testing.TB, address string) smtp.Address {
	t.Helper()
	a, err := smtp.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// visitor is a browser without a screen: it keeps cookies, says where a form came from, and does
// not follow redirects.
type visitor struct {
	w      *world
	client *http.Client
	header http.Header
}

func (w *world) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w: w, header: http.Header{}, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// as is a visitor who has signed in.
func (w *world) as(address string) *visitor {
	w.t.Helper()
	v := w.visitor()
	p := v.post("/signin", url.Values{"address": {address}, "password": {password}})
	if p.code != http.StatusSeeOther {
		w.t.Fatalf("sign-in of %s: %d\n%s", address, p.code, p.text())
	}
	return v
}

// answer is what came back.
type answer struct {
	t      testing.TB
	code   int
	header http.Header
	body   string
	doc    *html.Node
}

func (v *visitor) get(path string) *answer {
	v.w.t.Helper()
	return v.do(http.MethodGet, path, nil, "")
}

func (v *visitor) post(path string, form url.Values) *answer {
	v.w.t.Helper()
	return v.do(http.MethodPost, path, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
}

func (v *visitor) do(method, path string, body io.Reader, kind string) *answer {
	t := v.w.t
	t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = v.w.url + path
	}
	r, err := http.NewRequestWithContext(v.w.ctx(), method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Origin", v.w.url)
	}
	for name, values := range v.header {
		r.Header.Del(name)
		if values[0] != "" {
			r.Header[name] = values
		}
	}
	res, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return &answer{t: t, code: res.StatusCode, header: res.Header, body: string(text), doc: doc}
}

// want fails unless the answer has the status, and for each selector an element.
func (a *answer) want(code int, selectors ...string) *answer {
	a.t.Helper()
	if a.code != code {
		a.t.Fatalf("status %d, want %d\n%s", a.code, code, a.text())
	}
	for _, s := range selectors {
		if a.one(s) == nil {
			a.t.Fatalf("no %q in\n%s", s, a.body)
		}
	}
	return a
}

// wantTo fails unless the answer sends the browser to a path.
func (a *answer) wantTo(path string) *answer {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	if to := a.header.Get("Location"); to != path {
		a.t.Fatalf("leads to %q, want %q", to, path)
	}
	return a
}

func (a *answer) one(selector string) *html.Node {
	a.t.Helper()
	s, err := cascadia.Parse(selector)
	if err != nil {
		a.t.Fatal(err)
	}
	return cascadia.Query(a.doc, s)
}

// value is what an input holds.
func (a *answer) value(selector string) string {
	a.t.Helper()
	n := a.one(selector)
	if n == nil {
		a.t.Fatalf("no %q in\n%s", selector, a.body)
	}
	for _, attr := range n.Attr {
		if attr.Key == "value" {
			return attr.Val
		}
	}
	return ""
}

// text is the page as read.
func (a *answer) text() string { return textOf(a.one("main")) }

// textAt is the text of one element.
func (a *answer) textAt(selector string) string {
	a.t.Helper()
	n := a.one(selector)
	if n == nil {
		a.t.Fatalf("no %q in\n%s", selector, a.body)
	}
	return textOf(n)
}

func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n == nil {
			return
		}
		if n.Type == html.TextNode {
			fmt.Fprintf(&b, "%s ", n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

func (a *answer) wantText(words string) *answer {
	a.t.Helper()
	if text := a.text(); !strings.Contains(text, words) {
		a.t.Fatalf("page does not say %q but\n%s", words, text)
	}
	return a
}
