package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muster/lists"
	"muster/templates"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as("owner@people.example")
	const settings, path = "/manage/lists/garden@lists.example/settings", "/manage/lists/garden@lists.example/texts"
	const welcome = path + "/welcome/en"
	v.get(settings).want(http.StatusOK, `a[href="`+path+`"]`)
	if page := v.get(path).want(http.StatusOK, `a[href="`+welcome+`"]`); strings.Contains(page.body, "own text") {
		t.Error("a text is called the list's own that is not")
	}
	v.get(welcome).want(http.StatusOK, "#source").wantText("Subject: Welcome to {{.ListTitle}}").wantText("{{.LeaveURL}}")
	if v.get(welcome).one(`button[value="reset"]`) != nil {
		t.Error("there is nothing to take away, and a button for it")
	}
	mine := "Subject: Hi\r\n\r\nGood to have you, {{.Address}}, <b>\r\n"
	v.post(welcome, url.Values{"source": {mine}, "do": {"preview"}}).want(http.StatusOK, "pre").wantText("Good to have you, bob@member.example, <b>")
	v.get(path).want(http.StatusOK)
	if found, err := w.lists.AllTemplates(w.ctx(), lists.CLI()); err != nil || len(found) != 0 {
		t.Fatalf("a preview is kept: %v, %v", found, err)
	}
	for _, do := range []string{"preview", "save"} {
		v.post(welcome, url.Values{"source": {"Subject: Hi\n\n{{printf \"%99999999d\" 1}}\n"}, "do": {do}}).
			want(http.StatusUnprocessableEntity, "#source-error").wantText("printf is not allowed").wantText("%99999999d")
	}
	v.post(welcome, url.Values{"source": {mine}, "do": {"save"}}).wantTo(path)
	v.get(path).want(http.StatusOK).wantText("own text")
	v.get(welcome).want(http.StatusOK, `button[value="reset"]`).wantText("Good to have you")
	v.post(welcome, url.Values{"do": {"reset"}}).wantTo(path)
	v.get(welcome).want(http.StatusOK).wantText("Subject: Welcome to {{.ListTitle}}")

	for _, none := range []string{path + "/signin/en", path + "/welcome/xx", path + "/no-such/en"} {
		v.get(none).want(http.StatusNotFound)
		v.post(none, url.Values{"source": {mine}}).want(http.StatusNotFound)
	}
	other := w.as("other@people.example")
	other.get(welcome).want(http.StatusForbidden)
	other.post(welcome, url.Values{"source": {mine}}).want(http.StatusForbidden)
}

// TestEveryMailHasAName: what a list writes is called something where its texts are.
func TestEveryMailHasAName(t *testing.T) {
	t.Parallel()
	for _, lang := range templates.Languages() {
		c, err := templates.In(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range templates.MailKinds() {
			if id := "text.kind." + kind; kind != lists.NoticeSignIn && strings.TrimSpace(c.Text(id, nil)) == id {
				t.Errorf("%s has no %s", lang, id)
			}
		}
	}
}
