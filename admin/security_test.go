package admin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"muster/admin"
	"muster/lists"
)

// routesOf are the routes of any site.
func routesOf(t *testing.T) []admin.Route {
	t.Helper()
	site, err := admin.New(admin.Config{Service: lists.New(nil, lists.Config{}), BaseURL: "http://site.example"})
	if err != nil {
		t.Fatal(err)
	}
	return site.Routes()
}

// pathTo fills the parameters of a route in for a list.
func pathTo(route, list string) string {
	return strings.NewReplacer(":list", list, ":token", strings.Repeat("a", 26), ":seal", strings.Repeat("a", 26), ":post", strings.Repeat("a", 16), ":file", "site.css").Replace(route)
}

// TestEveryRouteAsksForItsRight walks all routes as a stranger, as a person with no part in the
// list, as a member, and as the owner of another list, on a private list.
func TestEveryRouteAsksForItsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("member@people.example", false)
	w.member("garden@lists.example", "member@people.example")
	visitors := map[string]*visitor{
		"stranger": w.visitor(), "owner of another list": w.as("other@people.example"), "member": w.as("member@people.example"),
	}
	for _, r := range routesOf(t) {
		if r.Open && !strings.Contains(r.Path, ":list") {
			continue
		}
		for who, v := range visitors {
			for _, list := range []string{"hidden@lists.example", "garden@lists.example"} {
				if r.Open && list == "garden@lists.example" || r.SignedIn && who != "stranger" {
					continue
				}
				path := pathTo(r.Path, list)
				var a *answer
				if r.Method == http.MethodPost {
					a = v.post(path, url.Values{"address": {"eve@evil.example"}, "role": {"owner"}, "members": {"eve@evil.example"}})
				} else {
					a = v.get(path)
				}
				if a.code != http.StatusForbidden && a.code != http.StatusNotFound {
					t.Errorf("%s: %s %s is %d, want 403 or 404", who, r.Method, path, a.code)
				}
				if strings.Contains(a.body, "Hidden list") || strings.Contains(a.body, "owner@people.example") {
					t.Errorf("%s: %s %s gives something away", who, r.Method, path)
				}
			}
		}
	}
	if w.isMember("garden@lists.example", "eve@evil.example") || w.isMember("hidden@lists.example", "eve@evil.example") {
		t.Error("a stranger was made a member")
	}
}

// TestStrangersLearnNothing: a list that is there and one that is not look alike.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	for _, r := range routesOf(t) {
		if r.Method != http.MethodGet || !strings.Contains(r.Path, ":list") {
			continue
		}
		there, not := v.get(pathTo(r.Path, "hidden@lists.example")), v.get(pathTo(r.Path, "nobody@lists.example"))
		if there.code != not.code || strings.ReplaceAll(there.text(), "hidden", "nobody") != not.text() {
			t.Errorf("%s tells whether a list is there: %d and %d", r.Path, there.code, not.code)
		}
	}
}

// TestGetsChangeNothing walks every page and file, with GET and HEAD, and compares the database.
func TestGetsChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.member("garden@lists.example", "bob@member.example")
	v := w.as("admin@people.example")
	tables := []string{"list", "member", "role", "person", "token", "notice", "post", "decision", "audit", "join_request", "tombstone"}
	before := w.contents(tables)
	for _, r := range routesOf(t) {
		path := pathTo(r.Path, "garden@lists.example") + "?address=bob@member.example"
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := v.do(method, path, nil, "")
			if r.Method == http.MethodPost && a.code == http.StatusOK && !served(t, r.Path) {
				t.Errorf("%s %s is answered, and only POST is registered", method, path)
			}
			if a.code >= 500 {
				t.Errorf("%s %s: %d", method, path, a.code)
			}
		}
	}
	for table, content := range w.contents(tables) {
		if content != before[table] {
			t.Errorf("looking changed %s", table)
		}
	}
}

// served says whether a path has a GET of its own.
func served(t *testing.T, path string) bool {
	for _, r := range routesOf(t) {
		if r.Path == path && r.Method == http.MethodGet {
			return true
		}
	}
	return path == "/signin/link" // which is also a token that is wrong
}

func (w *world) contents(tables []string) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for _, table := range tables {
		var content string
		if err := w.pool.QueryRow(w.ctx(), `SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM `+table+` t`).Scan(&content); err != nil {
			w.t.Fatal(err)
		}
		all[table] = content
	}
	return all
}

// TestPostsFromElsewhere: every POST but the sealed one refuses another site, and with a session's
// cookie also one that does not say where it comes from.
func TestPostsFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	elsewhere := []http.Header{
		{"Origin": {"https://evil.example"}},
		{"Origin": {"null"}},
		{"Origin": {""}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {""}, "Sec-Fetch-Site": {"same-site"}},
		{"Origin": {""}},
	}
	for _, r := range routesOf(t) {
		if r.Method != http.MethodPost || r.Path == "/leave/:seal" {
			continue
		}
		for _, header := range elsewhere {
			v.header = header
			if a := v.post(pathTo(r.Path, "garden@lists.example"), url.Values{"name": {"Taken over"}, "address": {"eve@evil.example"}}); a.code != http.StatusForbidden {
				t.Errorf("POST %s with %v is %d, want 403", r.Path, header, a.code)
			}
		}
	}
	if l := w.find("garden@lists.example"); l.Name != "Garden club" {
		t.Errorf("another site changed the list: %q", l.Name)
	}
	v.header = http.Header{"Origin": {""}, "Sec-Fetch-Site": {"same-origin"}}
	v.post("/manage/lists/garden@lists.example/settings", url.Values{"name": {"Garden"}}).want(http.StatusSeeOther)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	for _, path := range []string{"/", "/manage", "/manage/lists/garden@lists.example/members", "/nowhere", "/static/site.css", "/manage/lists/garden@lists.example/members.csv"} {
		a := v.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none';", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
		} {
			if got := a.header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if cache := a.header.Get("Cache-Control"); cache != "no-store" && !strings.HasPrefix(path, "/static") {
			t.Errorf("%s: Cache-Control is %q for who is signed in", path, cache)
		}
		if strings.Contains(a.body, "<style") || strings.Contains(a.body, "style=\"") || strings.Contains(a.body, "onclick") {
			t.Errorf("%s has something inline", path)
		}
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *admin.Config) { c.BaseURL = "https://lists.example" })
	v := w.visitor()
	v.header.Set("Origin", "https://lists.example")
	a := v.post("/signin", url.Values{"address": {"owner@people.example"}, "password": {password}}).want(http.StatusSeeOther)
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-session=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q has no %q", cookie, part)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("cookie %q has a domain", cookie)
	}
	if a.header.Get("Strict-Transport-Security") == "" {
		t.Error("no Strict-Transport-Security with https")
	}
}

// TestHostHeader: links lead to the configured name whatever a request says.
func TestHostHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, err := http.NewRequestWithContext(w.ctx(), http.MethodPost, w.url+"/signin/link", strings.NewReader("mail=owner%40people.example"))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if link := w.notice("signin", "owner@people.example"); !strings.HasPrefix(link, w.url+"/signin/") {
		t.Errorf("link %q", link)
	}
}

// TestNext: a sign-in leads back to where one was, and nowhere else.
func TestNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for next, want := range map[string]string{
		"/account": "/account", "//evil.example": "/manage", "javascript:alert(1)": "/manage", "https://evil.example": "/manage", "": "/manage",
	} {
		w.visitor().post("/signin", url.Values{"address": {"owner@people.example"}, "password": {password}, "next": {next}}).wantTo(want)
	}
	page := w.visitor().get("/manage/lists/garden@lists.example/members?q=a").want(http.StatusForbidden)
	if next := page.value(`input[name="next"]`); next != "/manage/lists/garden@lists.example/members?q=a" {
		t.Errorf("after the sign-in one is sent to %q", next)
	}
	if strings.Contains(w.visitor().get("/signin?next=//evil.example").body, "evil") {
		t.Error("a foreign next is kept")
	}
}

// TestForwardedFor: only a trusted proxy says whom it speaks for, and only as far as it knows.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		proxies string
		headers []string
		want    string
	}{
		{"nobody trusted", "", []string{"198.51.100.7"}, "127.0.0.1"},
		{"one proxy", "127.0.0.0/8", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a stranger's claim before it", "127.0.0.0/8", []string{"203.0.113.1, 198.51.100.7"}, "198.51.100.7"},
		{"in two headers", "127.0.0.0/8", []string{"203.0.113.1", "198.51.100.7"}, "198.51.100.7"},
		{"nonsense", "127.0.0.0/8", []string{"<script>"}, "127.0.0.1"},
		{"mapped", "127.0.0.0/8", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"none", "127.0.0.0/8", nil, "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *admin.Config) {
				if tt.proxies != "" {
					c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(tt.proxies)}
				}
			})
			v := w.visitor()
			v.header["X-Forwarded-For"] = tt.headers
			if tt.headers == nil {
				delete(v.header, "X-Forwarded-For")
			}
			v.post("/signin", url.Values{"address": {"owner@people.example"}, "password": {password}}).want(http.StatusSeeOther)
			var client string
			if err := w.pool.QueryRow(w.ctx(), `SELECT client FROM session ORDER BY made DESC LIMIT 1`).Scan(&client); err != nil {
				t.Fatal(err)
			}
			if client != tt.want {
				t.Errorf("client %q, want %q", client, tt.want)
			}
		})
	}
}

// TestLogHasNoSecrets: neither the secrets of links nor line breaks of a stranger reach the log.
func TestLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := newWorld(t, func(c *admin.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	secret := strings.Repeat("s", 26)
	v := w.visitor()
	for _, path := range []string{"/confirm/" + secret, "/leave/" + secret, "/signin/" + secret, "/lists/a%0d%0alevel=ERROR", "/%0alevel=ERROR"} {
		v.get(path)
		v.post(path, nil)
	}
	if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "\nlevel=ERROR") {
		t.Errorf("the log:\n%s", log.String())
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	v.post("/manage/lists/garden@lists.example/settings", url.Values{"description": {strings.Repeat("x", 1<<20)}}).want(http.StatusRequestEntityTooLarge)
	v.post("/manage/lists/garden@lists.example/settings", url.Values{"description": {strings.Repeat("x", 100<<10)}}).want(http.StatusUnprocessableEntity, "#description-error")
}

func TestStatic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	page := v.get("/")
	for _, n := range []string{`link[rel="stylesheet"]`, `link[rel="icon"]`} {
		for _, attr := range page.one(n).Attr {
			if attr.Key == "href" {
				if a := v.get(attr.Val).want(http.StatusOK); !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
					t.Errorf("%s is not kept", attr.Val)
				}
			}
		}
	}
	for _, path := range []string{"/static/", "/static/..%2ftemplates.go", "/static/%2e%2e", "/static/site.css%00"} {
		if a := v.get(path); a.code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, a.code)
		}
	}
}
