package admin_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"muster/lists"
	"muster/smtp"
)

// moderated is a world whose list holds its posts, with a moderator who can sign in.
func moderated(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t)
	const list = "garden@lists.example"
	w.set(list, "post_policy", "moderators")
	w.person("mia@people.example", false)
	if err := w.lists.SetRole(w.ctx(), lists.CLI(), w.find(list).ID, smtp.Address{Local: "mia", Domain: "people.example"}, lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	return w, list
}

func (w *world) state(ref string) string {
	w.t.Helper()
	p, _, err := w.lists.PostByRef(w.ctx(), lists.CLI(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.State
}

// A moderator claims a post, changes it, forwards it, and lets it go; another is kept from it meanwhile.
func TestModerateOnThePage(t *testing.T) {
	t.Parallel()
	w, list := moderated(t)
	p := w.post(list, "eve@member.example", tulips)
	path := "/manage/lists/" + list + "/posts/" + p.Ref
	mia, owner := w.as("mia@people.example"), w.as("owner@people.example")
	mia.get("/manage/lists/"+list+"/held").want(http.StatusOK, `a[href$="/moderation"]`).wantText("Each post is read before")
	mia.get(path).want(http.StatusOK, `form[action$="/claim"]`, `form[action$="/edit"] input[name="drop"]`, `form[action$="/forward"]`, `button[name="trust"]`)
	mia.post(path+"/claim", nil).wantTo(path)
	mia.get(path).want(http.StatusOK, `form[action$="/unclaim"]`).wantText("nobody else decides")
	owner.get(path).want(http.StatusOK, `form[action$="/unclaim"]`).wantText("mia@people.example looks at it")
	owner.post(path+"/release", nil).want(http.StatusConflict, `[role="alert"]`).wantText("has claimed this post")
	owner.get("/manage/lists/" + list + "/held").want(http.StatusOK).wantText("mia@people.example looks at it")

	mia.post(path+"/edit", url.Values{"subject": {"  "}}).want(http.StatusUnprocessableEntity, "#subject-error")
	mia.post(path+"/edit", url.Values{"subject": {"Tulips"}, "drop": {"9"}}).want(http.StatusUnprocessableEntity, `[role="alert"]`)
	mia.post(path+"/edit", url.Values{"subject": {"Tulips"}, "drop": {"1"}}).wantTo(path)
	mia.get(path).want(http.StatusOK, `input[name="drop"][checked][disabled]`).wantText("Tulips <script>alert(1)</script> → Tulips")
	mia.post(path+"/forward", url.Values{"forward": {"nobody"}}).want(http.StatusUnprocessableEntity, "#forward-error")
	mia.post(path+"/forward", url.Values{"forward": {"expert@x.example"}}).wantTo(path)
	mia.post(path+"/release", url.Values{"trust": {"yes"}}).wantTo(path)
	mia.get(path).want(http.StatusOK).wantText("later posts of eve@member.example are not held")
	if w.state(p.Ref) != lists.PostAccepted {
		t.Fatal(w.state(p.Ref))
	}
	second := w.post(list, "eve@member.example", strings.ReplaceAll(tulips, "<tulips@", "<roses@"))
	if second.State != lists.PostAccepted {
		t.Errorf("a trusted author's post is %s", second.State)
	}
	page := "/manage/lists/" + list + "/posts/" + second.Ref
	mia.get(page).want(http.StatusOK, `form[action$="/hold"]`)
	mia.post(page+"/hold", nil).wantTo(page)
	if w.state(second.Ref) != lists.PostHeld {
		t.Error(w.state(second.Ref))
	}
}

func TestModerationPage(t *testing.T) {
	t.Parallel()
	w, list := moderated(t)
	mia, path := w.as("mia@people.example"), "/manage/lists/"+list+"/moderation"
	w.as("other@people.example").get(path).want(http.StatusForbidden)
	mia.get(path).want(http.StatusOK, `form[action$="/answer"]`, `form[action$="/trust"]`)
	mia.post(path+"/answer", url.Values{"answer": {"off topic"}, "text": {""}}).want(http.StatusUnprocessableEntity, "#text-error")
	mia.post(path+"/answer", url.Values{"answer": {"Off topic"}, "text": {"Please write to chat@lists.example."}}).wantTo(path)
	mia.get(path).want(http.StatusOK).wantText("Please write to chat@lists.example.")
	mia.get(path+"?answer=off+topic").want(http.StatusOK, `input[name="answer"][value="off topic"]`)
	mia.get(path + "?answer=none").want(http.StatusNotFound)

	p := w.post(list, "eve@member.example", tulips)
	post := "/manage/lists/" + list + "/posts/" + p.Ref
	mia.get(post).want(http.StatusOK, `select[name="answer"] option[value="off topic"]`)
	mia.post(post+"/reject", url.Values{"answer": {"off topic"}, "reason": {"Sorry."}}).wantTo("/manage/lists/" + list + "/held")
	mia.get(post).want(http.StatusOK).wantText("Please write to chat@lists.example.").wantText("Sorry.")
	mia.post(path+"/answer/remove", url.Values{"answer": {"off topic"}}).wantTo(path)

	mia.post(path+"/trust", url.Values{"address": {"nobody"}}).want(http.StatusUnprocessableEntity, "#address-error")
	mia.post(path+"/trust", url.Values{"address": {"eve@member.example"}}).wantTo(path)
	mia.get(path).want(http.StatusOK).wantText("eve@member.example")
	mia.post(path+"/distrust", url.Values{"address": {"eve@member.example"}}).wantTo(path)
	mia.post(path+"/distrust", url.Values{"address": {"eve@member.example"}}).want(http.StatusNotFound)
}

// A moderator, who manages nothing, decides who joins.
func TestModeratorsDecideJoins(t *testing.T) {
	t.Parallel()
	w, list := moderated(t)
	w.set(list, "join_policy", "moderate")
	if err := w.lists.Subscribe(w.ctx(), lists.Subscription{List: w.find(list).ID, Mailbox: smtp.Mailbox{Address: parse(t, "dora@d.example")}, How: lists.ConsentWeb}); err != nil {
		t.Fatal(err)
	}
	mia, path := w.as("mia@people.example"), "/manage/lists/"+list+"/joins"
	mia.get("/manage/lists/"+list).want(http.StatusOK, `.tabs a[href$="/joins"]`)
	mia.get(path).want(http.StatusOK, `input[name="reason"]`).wantText("dora@d.example")
	asked, err := w.lists.PendingJoins(w.ctx(), lists.CLI(), w.find(list).ID, 0, 0)
	if err != nil || len(asked) != 1 {
		t.Fatalf("%v, %v", asked, err)
	}
	id := strconv.FormatInt(asked[0].ID, 10)
	mia.post(path, url.Values{"request": {id}, "answer": {"no"}, "reason": {"We are full."}}).wantTo(path)
	if w.isMember(list, "dora@d.example") {
		t.Error("turned down and a member")
	}
}

// The page that a mail leads to asks once more, and lets a post go only with its button.
func TestConfirmAPostOnThePage(t *testing.T) {
	t.Parallel()
	w, list := moderated(t)
	w.set(list, "confirm_unauthenticated", "true")
	w.set(list, "post_policy", "anyone")
	p := w.post(list, "eve@member.example", tulips)
	link := w.notice("post-confirm", "eve@member.example")
	v := w.visitor()
	page := v.get(link).want(http.StatusOK, `form[action^="/confirm/"] button`)
	page.wantText("names eve@member.example as its author")
	if w.state(p.Ref) != lists.PostUnconfirmed {
		t.Fatal("opening the link let it go")
	}
	w.as("mia@people.example").get("/manage/lists/"+list+"/posts/"+p.Ref).want(http.StatusOK, `form[action$="/release"]`).wantText("Nothing shows that it is by whom it says.")
	path := strings.TrimPrefix(link, w.url)
	v.post(path, nil).want(http.StatusOK).wantText("Your message is on its way")
	v.post(path, nil).want(http.StatusOK).wantText("Nothing more is needed")
	if w.state(p.Ref) != lists.PostAccepted {
		t.Error(w.state(p.Ref))
	}
}
