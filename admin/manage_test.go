package admin_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	wrong := v.post("/signin", url.Values{"address": {"owner@people.example"}, "password": {"not it at all"}}).want(http.StatusForbidden, `[role="alert"]`, `#address[value="owner@people.example"]`)
	unknown := v.post("/signin", url.Values{"address": {"owner@nobody.example"}, "password": {"not it at all"}}).want(http.StatusForbidden)
	if wrong.text() != unknown.text() {
		t.Error("the page tells who is known")
	}
	if strings.Contains(wrong.body, "not it at all") {
		t.Error("the page repeats the password")
	}
	v = w.as("owner@people.example")
	v.get("/signin").wantTo("/manage")
	v.get("/manage").want(http.StatusOK, `a[href="/manage/lists/garden@lists.example"]`, `a[href="/manage/lists/hidden@lists.example"]`)
	v.post("/signout", nil).wantTo("/")
	v.get("/manage").want(http.StatusForbidden)
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	limited := false
	for range 12 {
		a := v.post("/signin", url.Values{"address": {"owner@people.example"}, "password": {"not it at all"}})
		limited = limited || a.code == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("twelve wrong passwords, and no limit")
	}
}

func TestSignInByLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	known := v.post("/signin/link", url.Values{"mail": {"owner@people.example"}}).want(http.StatusOK)
	unknown := v.post("/signin/link", url.Values{"mail": {"eve@nobody.example"}}).want(http.StatusOK)
	if strings.ReplaceAll(known.text(), "owner@people", "eve@nobody") != unknown.text() {
		t.Error("the page tells who is known")
	}
	link := w.notice("signin", "owner@people.example")
	v.get(link).want(http.StatusOK, "form button")
	v.get("/manage").want(http.StatusForbidden)
	v.post(link, nil).wantTo("/manage")
	v.get("/manage").want(http.StatusOK)
	w.visitor().get(link).want(http.StatusGone)
	again := w.visitor().post(link, nil)
	if again.code != http.StatusConflict && again.code != http.StatusGone {
		t.Errorf("a used link: %d", again.code)
	}
	v.post("/signin/link", url.Values{"mail": {"nonsense"}}).want(http.StatusUnprocessableEntity, "#mail-error")
}

// TestPasswordEndsSessions: who was signed in with the old password is out.
func TestPasswordEndsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.as("owner@people.example"), w.as("owner@people.example")
	here.post("/account/password", url.Values{"current": {"wrong"}, "password": {"a new long one"}}).want(http.StatusUnprocessableEntity, "#current-error")
	here.post("/account/password", url.Values{"current": {password}, "password": {"short"}}).want(http.StatusUnprocessableEntity, "#password-error")
	here.post("/account/password", url.Values{"current": {password}, "password": {""}}).want(http.StatusUnprocessableEntity, "#password-error")
	there.get("/account").want(http.StatusOK)
	here.post("/account/password", url.Values{"current": {password}, "password": {"a new long one"}}).wantTo("/account")
	here.get("/account").want(http.StatusOK, ".note.good")
	there.get("/account").want(http.StatusForbidden)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.as("owner@people.example"), w.as("owner@people.example")
	page := here.get("/account").want(http.StatusOK)
	if n := strings.Count(page.body, `action="/account/sessions/end"`); n != 2 {
		t.Fatalf("%d sessions, want 2", n)
	}
	var id int64
	if err := w.pool.QueryRow(w.ctx(), `SELECT max(id) FROM session`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	w.as("other@people.example").post("/account/sessions/end", url.Values{"session": {fmt.Sprint(id)}}).want(http.StatusNotFound)
	there.get("/account").want(http.StatusOK)
	here.post("/account/sessions/end", url.Values{"session": {fmt.Sprint(id)}}).wantTo("/account")
	there.get("/account").want(http.StatusForbidden)
	here.post("/account/sessions/end-all", nil).wantTo("/signin")
	here.get("/account").want(http.StatusForbidden)
}

func TestNewList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("admin@people.example")
	v.get("/manage/new").want(http.StatusOK, `#owner[value="admin@people.example"]`)
	bad := v.post("/manage/new", url.Values{"address": {"chess-owner@lists.example"}, "name": {"Chess"}, "owner": {"owner@people.example"}})
	bad.want(http.StatusUnprocessableEntity, "#address-error", `#name[value="Chess"]`)
	v.post("/manage/new", url.Values{"address": {"garden@lists.example"}, "owner": {"owner@people.example"}}).want(http.StatusConflict, "#address-error")
	v.post("/manage/new", url.Values{"address": {"chess@lists.example"}, "owner": {"nobody"}}).want(http.StatusUnprocessableEntity, "#owner-error")
	v.post("/manage/new", url.Values{"address": {"chess@lists.example"}, "name": {"Chess"}, "owner": {"owner@people.example"}}).wantTo("/manage/lists/chess@lists.example/members/add")
	v.get("/manage/lists/chess@lists.example/members/add").want(http.StatusOK, ".note.good").wantText("chess@lists.example is ready")
	if v.get("/manage/lists/chess@lists.example/members/add").one(".note.good") != nil {
		t.Error("what was done is said twice")
	}
	v.post("/manage/lists/chess@lists.example/remove", url.Values{"address": {"garden@lists.example"}}).want(http.StatusUnprocessableEntity, "#address-error")
	v.post("/manage/lists/chess@lists.example/remove", url.Values{"address": {"Chess@lists.example "}}).wantTo("/manage")
	v.get("/lists/chess@lists.example").want(http.StatusNotFound)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const path = "/manage/lists/garden@lists.example/settings"
	v.get(path).want(http.StatusOK, `input[name="join_policy"][value="confirm"][checked]`, `input[name="verp"][value="true"][checked]`)
	v.post(path, url.Values{"name": {"Gärten"}, "join_policy": {"both"}, "verp": {"N"}, "verp-number": {"10"}}).wantTo(path)
	l := w.find("garden@lists.example")
	if l.Name != "Gärten" || l.JoinPolicy != "both" || l.VERP != 10 {
		t.Errorf("saved %+v", l)
	}
	v.get(path).want(http.StatusOK, `input[name="verp"][value="N"][checked]`, `#verp-number[value="10"]`)
	v.post(path, url.Values{"name": {"Other"}, "join_policy": {"sometimes"}}).want(http.StatusUnprocessableEntity, "#join_policy-error", `#name[value="Other"]`)
	v.post(path, url.Values{"verp": {"N"}, "verp-number": {"many"}}).want(http.StatusUnprocessableEntity, "#verp-error")
	v.post(path, url.Values{"siblings": {"nobody@lists.example"}}).want(http.StatusUnprocessableEntity, "#siblings-error", `#siblings[value="nobody@lists.example"]`).
		wantText("There is no list nobody@lists.example here")
	v.post(path, url.Values{"siblings": {""}, "tracking": {"dsn"}}).wantTo(path)
	v.get(path).want(http.StatusOK, `input[name="tracking"][value="dsn"][checked]`)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const path = "/manage/lists/garden@lists.example/members"
	v.get(path).want(http.StatusOK, ".empty")
	v.post(path+"/add", url.Values{"members": {""}}).want(http.StatusUnprocessableEntity, "#members-error")
	v.post(path+"/add", url.Values{"members": {"Anna Berg <anna@example.org>\r\nbob@member.example\r\n\r\n"}}).wantTo(path)
	some := v.post(path+"/add", url.Values{"members": {"anna@example.org\nnonsense\ncarl@example.org"}}).want(http.StatusOK, ".note.warn")
	some.wantText("1 was added. 1 was a member already.").wantText("nonsense")
	if rest := strings.TrimSpace(some.textAt("#members")); rest != "nonsense" {
		t.Errorf("left to mend: %q", rest)
	}
	v.get(path + "?q=anna").want(http.StatusOK).wantText("1 member")
	v.get(path + "?q=@example.org").want(http.StatusOK).wantText("2 members")
	v.get(path+"?q=%22%3E%3Cscript%3E").want(http.StatusOK, ".empty").wantText(`“"><script>”`)

	const one = "/manage/lists/garden@lists.example/member"
	v.get(one+"?address=anna@example.org").want(http.StatusOK, `#name[value="Anna Berg"]`, `input[name="mode"][value="each"][checked]`)
	v.get(one + "?address=nobody@example.org").want(http.StatusNotFound)
	v.post(one, url.Values{"address": {"anna@example.org"}, "name": {"Anna"}, "mode": {"none"}, "hidden": {"true"}}).wantTo(path)
	v.get(one+"?address=anna@example.org").want(http.StatusOK, `#name[value="Anna"]`, `input[name="mode"][value="none"][checked]`, `input[name="hidden"][value="true"][checked]`)
	v.post(one+"/remove", url.Values{"address": {"anna@example.org"}, "notify": {"1"}}).wantTo(path)
	if w.isMember("garden@lists.example", "anna@example.org") {
		t.Error("removed, and still a member")
	}
	w.notice("goodbye", "anna@example.org")
	gone := v.post(path+"/add", url.Values{"members": {"anna@example.org"}}).want(http.StatusUnprocessableEntity, ".note.warn")
	gone.wantText("was removed on")
	v.post(path+"/add", url.Values{"members": {"anna@example.org"}, "again": {"1"}}).wantTo(path)
}

func TestMembersArePaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	var lines []string
	for i := range 120 {
		lines = append(lines, fmt.Sprintf("m%03d@member.example", i))
	}
	v.post("/manage/lists/garden@lists.example/members/add", url.Values{"members": {strings.Join(lines, "\n")}}).want(http.StatusSeeOther)
	var seen []string
	path := "/manage/lists/garden@lists.example/members"
	for range 3 {
		page := v.get(path).want(http.StatusOK).wantText("120 members")
		seen = append(seen, fmt.Sprint(strings.Count(page.body, "@member.example</a>")))
		if next := page.one(`a[rel="next"]`); next != nil {
			path = attr(page, `a[rel="next"]`, "href")
		}
	}
	if strings.Join(seen, " ") != "50 50 20" {
		t.Errorf("pages of %v", seen)
	}
	back := v.get(path).want(http.StatusOK)
	back = v.get(attr(back, `a[rel="prev"]`, "href")).want(http.StatusOK, `a[rel="next"]`)
	if !strings.Contains(back.body, "m050@") || strings.Contains(back.body, "m049@") || strings.Contains(back.body, "m100@") {
		t.Error("going back does not lead to the page before")
	}
	first := v.get(attr(back, `a[rel="prev"]`, "href")).want(http.StatusOK)
	if !strings.Contains(first.body, "m000@") || first.one(`a[rel="prev"]`) != nil {
		t.Error("going back does not end at the beginning")
	}
}

func attr(a *answer, selector, name string) string {
	a.t.Helper()
	n := a.one(selector)
	if n == nil {
		a.t.Fatalf("no %q", selector)
	}
	for _, at := range n.Attr {
		if at.Key == name {
			return at.Val
		}
	}
	return ""
}

func TestImportExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const path = "/manage/lists/garden@lists.example/members"
	csv := "address,name\nanna@example.org,Anna Berg\nbob@member.example,=1+1\nnonsense,\n"
	dry := v.upload(path+"/import", "members.csv", csv, "dry").want(http.StatusOK, ".note.warn")
	dry.wantText("Nothing was changed").wantText("2 were added").wantText("nonsense")
	v.get(path).want(http.StatusOK, ".empty")
	v.upload(path+"/import", "members.csv", csv).want(http.StatusOK).wantText("Imported.").wantText("1 line was refused.")
	v.upload(path+"/import", "", "").want(http.StatusUnprocessableEntity, "#file-error")
	v.post(path+"/import", url.Values{"file": {csv}}).want(http.StatusUnprocessableEntity)

	a := v.get(path + ".csv").want(http.StatusOK)
	if kind := a.header.Get("Content-Disposition"); kind != `attachment; filename="garden-members.csv"` {
		t.Errorf("Content-Disposition %q", kind)
	}
	if !strings.HasPrefix(a.body, "address,name,") || !strings.Contains(a.body, "anna@example.org,Anna Berg,") || strings.Contains(a.body, ",=1+1") {
		t.Errorf("exported:\n%s", a.body)
	}
}

// TestSlowUploads has browsers stop in the middle of a file: others go on, as long as they like.
func TestSlowUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/manage/lists/garden@lists.example/members"
	v := w.as("owner@people.example")
	var slow sync.WaitGroup
	defer slow.Wait()
	for range 4 {
		body, in := io.Pipe()
		defer in.CloseWithError(errors.New("the browser is gone"))
		m := multipart.NewWriter(in)
		slow.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path+"/import", body)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Content-Type", m.FormDataContentType())
			req.Header.Set("Origin", w.url)
			if resp, err := v.client.Do(req); err == nil {
				resp.Body.Close()
				t.Errorf("half a file was answered %s", resp.Status)
			}
		})
		part, err := m.CreateFormFile("file", "members.txt")
		if err != nil {
			t.Fatal(err)
		}
		// More than buffers on the way hold: when it is gone, the server is reading the file.
		line := strings.Repeat("somebody@member.example\n", 1000)
		for range 1000 {
			if _, err := io.WriteString(part, line); err != nil {
				t.Fatal(err)
			}
		}
	}
	v.upload(path+"/import", "members.txt", "anna@example.org\n").want(http.StatusOK).wantText("1 was added")
	v.get(path).want(http.StatusOK).wantText("anna@example.org")
}

// upload sends the form of an import.
func (v *visitor) upload(path, name, content string, options ...string) *answer {
	v.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for _, o := range options {
		if err := m.WriteField(o, "1"); err != nil {
			v.w.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		v.w.t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		v.w.t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		v.w.t.Fatal(err)
	}
	return v.do(http.MethodPost, path, &body, m.FormDataContentType())
}

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const path = "/manage/lists/garden@lists.example/roles"
	v.post(path, url.Values{"owner": {"other@people.example"}, "role": {"moderator"}}).wantTo(path)
	moderator := w.as("other@people.example")
	moderator.get("/manage/lists/garden@lists.example").want(http.StatusOK)
	moderator.get(path).want(http.StatusOK).wantText("owner@people.example")
	moderator.get("/manage/lists/garden@lists.example/members").want(http.StatusForbidden)
	moderator.post(path, url.Values{"owner": {"other@people.example"}, "role": {"owner"}}).want(http.StatusForbidden)
	v.post(path+"/remove", url.Values{"address": {"owner@people.example"}, "role": {"owner"}}).want(http.StatusConflict, `[role="alert"]`)
	v.post(path+"/remove", url.Values{"address": {"other@people.example"}, "role": {"moderator"}}).wantTo(path)
	moderator.get("/manage/lists/garden@lists.example").want(http.StatusForbidden)
	v.post(path, url.Values{"owner": {"garden@lists.example"}, "role": {"owner"}}).want(http.StatusUnprocessableEntity, "#owner-error")
}

func TestJoinRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const list = "garden@lists.example"
	w.set(list, "join_policy", "moderate")
	stranger := w.visitor()
	for _, who := range []string{"anna@example.org", "bob@example.org"} {
		subscribeTo(stranger, list, url.Values{"address": {who}}).want(http.StatusOK).wantText("An owner of the list looks at your request")
	}
	v := w.as("owner@people.example")
	path := strings.TrimPrefix(w.notices("join-request", "owner@people.example")[0], w.url)
	page := v.get(path).want(http.StatusOK).wantText("anna@example.org")
	id := page.value(`input[name="request"]`)
	v.post(path, url.Values{"request": {id}, "answer": {"yes"}}).wantTo(path)
	if !w.isMember(list, "anna@example.org") {
		t.Error("let in, and no member")
	}
	v.post(path, url.Values{"request": {id}, "answer": {"yes"}}).want(http.StatusConflict)
	id = v.get(path).want(http.StatusOK).value(`input[name="request"]`)
	v.post(path, url.Values{"request": {id}, "answer": {"no"}}).wantTo(path)
	if w.isMember(list, "bob@example.org") {
		t.Error("turned down, and a member")
	}
	v.get(path).want(http.StatusOK, ".empty")
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("admin@people.example")
	v.post("/manage/domains", url.Values{"domain": {"no domain"}}).want(http.StatusUnprocessableEntity, "#domain-error", `#domain[value="no domain"]`)
	v.post("/manage/domains", url.Values{"domain": {"bücher.example"}}).wantTo("/manage/domains")
	v.get("/manage/domains").want(http.StatusOK).wantText("xn--bcher-kva.example")
	v.post("/manage/persons", url.Values{"address": {"new@people.example"}, "password": {"short"}}).want(http.StatusUnprocessableEntity, "#password-error", `#address[value="new@people.example"]`)
	v.post("/manage/persons", url.Values{"address": {"new@people.example"}, "password": {password}}).wantTo("/manage/persons")
	w.as("new@people.example").get("/manage").want(http.StatusOK, ".empty")
	v.get("/manage?all=1").want(http.StatusOK, `a[href="/manage/lists/foreign@lists.example"]`)
	v.get("/manage/queue").want(http.StatusOK, ".empty")
}
