package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muster/lists"
)

func TestRulesOfAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const path = "/manage/lists/garden@lists.example/rules"
	v.get(path).want(http.StatusOK, `input[name="no_subject"][value="accept"][checked]`, `input[name="emergency"][value="false"][checked]`,
		`textarea[name="header_rules"]`, `input[name="approve_password"][type="password"]`, `a[aria-current="page"][href$="/rules"]`)
	v.post(path, url.Values{"no_subject": {"hold"}, "max_size": {"500KiB"}, "header_rules": {"hold Subject ^sale\r\nreject X-Mailer bulk"}, "approve_password": {"orange juice and tea"}}).wantTo(path)
	l := w.find("garden@lists.example")
	if l.Get("no_subject") != "hold" || l.Get("max_size") != "500KiB" || l.Get("header_rules") != "hold Subject ^sale\nreject X-Mailer bulk" || l.Get("approve_password") != "(set)" {
		t.Errorf("saved %s", l.Rules)
	}
	page := v.get(path).want(http.StatusOK, `input[name="no_subject"][value="hold"][checked]`, `#max_size[value="500KiB"]`)
	if strings.Contains(page.body, "argon2id") || page.value("#approve_password") != "" {
		t.Error("the page shows the password's hash")
	}
	v.post(path, url.Values{"approve_password": {""}, "no_subject": {"accept"}}).wantTo(path)
	if w.find("garden@lists.example").Get("approve_password") != "(set)" {
		t.Error("nothing typed took the password away")
	}
	v.post(path, url.Values{"header_rules": {"hold Subject (a"}, "max_size": {"7MiB"}}).want(http.StatusUnprocessableEntity, "#header_rules-error", `#max_size[value="7MiB"]`).
		wantText("“(a” is no regular expression")
	w.member("garden@lists.example", "other@people.example")
	w.as("other@people.example").get(path).want(http.StatusForbidden)
	v.get("/manage/lists/garden@lists.example/settings").want(http.StatusOK)
	if v.get("/manage/lists/garden@lists.example/settings").one(`[name="no_subject"]`) != nil {
		t.Error("the rules are on the page of the settings too")
	}
}

func TestBansOfAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const path = "/manage/lists/garden@lists.example/bans"
	v.get(path).want(http.StatusOK, ".empty", `input[name="action"][value="reject"][checked]`)
	v.post(path, url.Values{"pattern": {"nonsense"}, "action": {"hold"}, "note": {"why"}}).want(http.StatusUnprocessableEntity, "#pattern-error", `#pattern[value="nonsense"]`, `input[value="hold"][checked]`)
	v.post(path, url.Values{"pattern": {" @*.Spam.example "}, "action": {"discard"}, "note": {"sells <b>watches</b>"}}).wantTo(path)
	page := v.get(path).want(http.StatusOK, ".note.good").wantText("@*.spam.example").wantText("sells <b>watches</b>")
	if page.one("main b") != nil {
		t.Error("a note became part of the page")
	}
	v.post(path+"/remove", url.Values{"pattern": {"@*.spam.example"}}).wantTo(path)
	v.get(path).want(http.StatusOK, ".empty")
	v.post(path+"/remove", url.Values{"pattern": {"@*.spam.example"}}).want(http.StatusNotFound)
	w.member("garden@lists.example", "other@people.example")
	w.as("other@people.example").post(path, url.Values{"pattern": {"x@y.example"}, "action": {"reject"}}).want(http.StatusForbidden)
}

// TestTraceOfAPost is in the language of who reads it.
func TestTraceOfAPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set("garden@lists.example", "text_only", "true")
	w.member("garden@lists.example", "eve@member.example")
	p := w.post("garden@lists.example", "eve@member.example", tulips)
	if p.State != lists.PostHeld {
		t.Fatalf("the post is %s", p.State)
	}
	path := "/manage/lists/garden@lists.example/posts/" + p.Ref
	v := w.as("owner@people.example")
	v.get(path).want(http.StatusOK, "details strong").wantText("Are its parts of types that are wanted?").wantText("text/html is no plain text.")
	v.post("/language", url.Values{"language": {"de"}, "next": {path}})
	v.get(path).want(http.StatusOK).wantText("Sind ihre Teile von erwünschter Art?").wantText("text/html ist kein reiner Text.")
}

func TestRulesOfTheSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("admin@people.example")
	const path = "/manage/site"
	v.get(path).want(http.StatusOK, ".empty", `textarea[name="header_rules"]`)
	v.post(path+"/bans", url.Values{"pattern": {"@spam.example"}, "action": {"reject"}}).wantTo(path)
	v.post(path+"/bans", url.Values{"pattern": {"spam"}, "action": {"reject"}}).want(http.StatusUnprocessableEntity, "#pattern-error", `form[action="/manage/site/bans"]`)
	v.post(path, url.Values{"header_rules": {"reject X-Mailer ^bulk"}}).wantTo(path)
	v.post(path, url.Values{"header_rules": {"keep it"}}).want(http.StatusUnprocessableEntity, "#header_rules-error").wantText("keep it")
	page := v.get(path).want(http.StatusOK).wantText("@spam.example")
	if got := page.textAt("#header_rules"); got != "reject X-Mailer ^bulk" {
		t.Errorf("the rules are %q", got)
	}
	v.post(path+"/bans/remove", url.Values{"pattern": {"@spam.example"}}).wantTo(path)
	v.get(path).want(http.StatusOK, ".empty")
	w.as("owner@people.example").get(path).want(http.StatusForbidden)
}
