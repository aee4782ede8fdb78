package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muster/lists"
)

func TestFirstPageShowsWhatOneMaySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger := w.visitor().get("/").want(http.StatusOK, `a[href="/lists/garden@lists.example"]`)
	if strings.Contains(stranger.body, "hidden@") {
		t.Error("a stranger sees a list that is not advertised")
	}
	w.as("owner@people.example").get("/").want(http.StatusOK, `a[href="/lists/hidden@lists.example"]`)
}

func TestFirstPageIsPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range "abcdefghijklmnopqrstuvwxyz" {
		w.list("a"+string(a)+"@lists.example", "", "owner@people.example")
		w.list("b"+string(a)+"@lists.example", "", "owner@people.example")
	}
	seen, path := 0, "/"
	for path != "" {
		page := w.visitor().get(path).want(http.StatusOK)
		seen += strings.Count(page.body, "<li class=\"split\">")
		next := page.one(`a[rel="next"]`)
		path = ""
		if next != nil {
			path = next.Attr[1].Val
		}
	}
	if seen != 54 { // and garden@, foreign@
		t.Errorf("%d lists on all pages, want 54", seen)
	}
}

func TestListPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	page := v.get("/lists/garden@lists.example").want(http.StatusOK,
		`form[action="/lists/garden@lists.example/subscribe"] input[type="email"][required]`,
		`a[href="mailto:garden@lists.example"]`, `a[href="mailto:garden-leave@lists.example"]`)
	page.wantText("For everybody who grows something.")
	v.get("/lists/garden%40lists.example").want(http.StatusOK)
	v.get("/lists/GARDEN@Lists.Example").want(http.StatusOK)
	for _, path := range []string{"/lists/nobody@lists.example", "/lists/hidden@lists.example", "/lists/x", "/lists/..%2f..%2fetc", "/lists/garden@lists.example%00", "/lists/"} {
		if a := v.get(path); a.code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, a.code)
		}
	}
}

// subscribeTo fills in the form of a list's page.
func subscribeTo(v *visitor, list string, more url.Values) *answer {
	page := v.get("/lists/" + list)
	form := url.Values{"form": {page.value(`input[name="form"]`)}, "website": {""}}
	for k, values := range more {
		form[k] = values
	}
	return v.post("/lists/"+list+"/subscribe", form)
}

func TestSubscribeConfirmLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	const list, who = "garden@lists.example", "bob@member.example"

	first := subscribeTo(v, list, url.Values{"address": {who}, "name": {"Bob"}}).want(http.StatusOK).wantText("Look into your mail")
	second := subscribeTo(v, list, url.Values{"address": {who}, "name": {"Bob"}}).want(http.StatusOK)
	if first.text() != second.text() {
		t.Error("the second answer differs from the first")
	}
	link := w.notice("join-confirm", who)

	v.get(link).want(http.StatusOK, "form button").wantText(who)
	if w.isMember(list, who) {
		t.Fatal("looking at the confirmation made a member")
	}
	v.post(link, nil).want(http.StatusOK).wantText("is on Garden club now")
	if !w.isMember(list, who) {
		t.Fatal("confirmed, and no member")
	}
	v.post(link, nil).want(http.StatusOK).wantText("Done already")

	known := subscribeTo(v, list, url.Values{"address": {who}}).want(http.StatusOK)
	if first.text() != known.text() {
		t.Error("a member is answered differently than a stranger")
	}

	leave := w.leaveLink(list, who)
	v.get(leave).want(http.StatusOK, "form button")
	if !w.isMember(list, who) {
		t.Fatal("looking at the link to leave removed the member")
	}
	v.post(leave, nil).want(http.StatusOK).wantText("is not on Garden club any more")
	if w.isMember(list, who) {
		t.Fatal("left, and still a member")
	}
}

func (w *world) leaveLink(list, address string) string {
	w.t.Helper()
	l := w.find(list)
	m, err := w.lists.Member(w.ctx(), lists.CLI(), l.ID, parse(w.t, address))
	if err != nil {
		w.t.Fatal(err)
	}
	sealer, err := w.lists.Sealer(w.ctx())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.url + "/leave/" + sealer.Leave(l.ID, m.ID)
}

// TestOneClick: RFC 8058 §3.1, in both of the forms that mail programs use.
func TestOneClick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const list = "garden@lists.example"
	const boundary = "----b"
	bodies := map[string]string{
		"application/x-www-form-urlencoded":         "List-Unsubscribe=One-Click",
		"multipart/form-data; boundary=" + boundary: "--" + boundary + "\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--" + boundary + "--\r\n",
	}
	for kind, body := range bodies {
		w.member(list, "bob@member.example")
		link := w.leaveLink(list, "bob@member.example")
		v := w.visitor()
		v.header.Set("Origin", "") // a mail provider is no browser
		v.do(http.MethodHead, link, nil, "").want(http.StatusOK)
		a := v.do(http.MethodPost, link, strings.NewReader(body), kind).want(http.StatusOK)
		if len(a.header.Values("Set-Cookie")) > 0 {
			t.Error("one-click sets a cookie")
		}
		if w.isMember(list, "bob@member.example") {
			t.Errorf("%s: still a member", kind)
		}
		_, err := w.pool.Exec(w.ctx(), `DELETE FROM tombstone`)
		if err != nil {
			t.Fatal(err)
		}
	}
	v := w.visitor()
	v.header.Set("Origin", "https://mail.example")
	w.member(list, "eve@member.example")
	v.do(http.MethodPost, w.leaveLink(list, "eve@member.example"), strings.NewReader(bodies["application/x-www-form-urlencoded"]), "application/x-www-form-urlencoded").want(http.StatusOK)
	v.post("/leave/"+strings.Repeat("a", 26), nil).want(http.StatusGone)
}

func TestSubscribeFormKeepsMachinesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	const list = "garden@lists.example"
	subscribeTo(v, list, url.Values{"address": {"bot@member.example"}, "website": {"https://spam.example"}}).want(http.StatusOK).wantText("Look into your mail")
	if mails := w.notices("join-confirm", "bot@member.example"); len(mails) != 0 {
		t.Error("a filled trap sent a mail")
	}
	a := subscribeTo(v, list, url.Values{"address": {"bob@member.example"}, "name": {"Bob"}, "form": {strings.Repeat("a", 26)}})
	a.want(http.StatusUnprocessableEntity, `input[name="address"][value="bob@member.example"]`, `input[name="name"][value="Bob"]`, `[role="alert"]`)
	foreign := v.get("/lists/foreign@lists.example").value(`input[name="form"]`)
	subscribeTo(v, list, url.Values{"address": {"bob@member.example"}, "form": {foreign}}).want(http.StatusUnprocessableEntity)
	subscribeTo(v, list, url.Values{"address": {"no address"}}).want(http.StatusUnprocessableEntity,
		`#address[aria-invalid="true"][aria-describedby="address-error"]`, `#address-error`)
}

func TestRequestLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	w.member("garden@lists.example", "bob@member.example")
	known := v.post("/lists/garden@lists.example/leave", url.Values{"leave": {"bob@member.example"}}).want(http.StatusOK)
	unknown := v.post("/lists/garden@lists.example/leave", url.Values{"leave": {"eve@member.example"}}).want(http.StatusOK)
	if strings.ReplaceAll(known.text(), "bob", "eve") != unknown.text() {
		t.Error("the page tells who is on the list")
	}
	link := w.notice("leave-confirm", "bob@member.example")
	v.get(link).want(http.StatusOK, "form button.danger")
	v.post(link, nil).want(http.StatusOK)
	if w.isMember("garden@lists.example", "bob@member.example") {
		t.Error("still a member")
	}
	v.post("/lists/garden@lists.example/leave", url.Values{"leave": {"x"}}).want(http.StatusUnprocessableEntity, "#leave-error")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.visitor().get("/healthz").want(http.StatusOK)
	w.pool.Close()
	w.visitor().get("/healthz").want(http.StatusServiceUnavailable)
	sorry := w.visitor().get("/").want(http.StatusInternalServerError)
	sorry.wantText("Something went wrong here")
	if strings.Contains(sorry.body, "closed pool") {
		t.Error("the page tells the cause")
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor()
	v.header.Set("Accept-Language", "de-AT,de;q=0.9,en;q=0.5")
	v.get("/").want(http.StatusOK, `html[lang="de"]`).wantText("Mailinglisten")
	v.post("/language", url.Values{"language": {"en"}, "next": {"/lists/garden@lists.example"}}).wantTo("/lists/garden@lists.example")
	v.get("/").want(http.StatusOK, `html[lang="en"]`)
	v.post("/language", url.Values{"language": {"xx"}}).want(http.StatusUnprocessableEntity)
	subscribeTo(v, "garden@lists.example", url.Values{"address": {"bob@member.example"}}).want(http.StatusOK)
}
