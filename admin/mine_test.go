package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Members set their own memberships, and nobody else's.
func TestMine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("member@people.example", false)
	w.member("garden@lists.example", "member@people.example")
	w.member("garden@lists.example", "anna@example.org")
	v := w.as("member@people.example")
	v.get("/lists/garden@lists.example").want(http.StatusOK, `a[href="/lists/garden@lists.example/mine"]`)
	const path = "/lists/garden@lists.example/mine"
	const mine = path + "?address=member%40people.example"
	v.get(path).want(http.StatusOK, `input[name="mode"][value="each"][checked]`, `#vacation`)
	if body := v.get(path).body; !strings.Contains(body, `name="state" value="user"`) || strings.Contains(body, `value="moderator"`) {
		t.Error("members are offered what only owners may set")
	}
	own := url.Values{"address": {"member@people.example"}, "mode": {"digest"}, "hidden": {"true"}, "own_posts": {"false"}, "vacation": {"2027-07-01..2027-07-21"}}
	v.post(path, own).wantTo(mine)
	v.get(mine).want(http.StatusOK, `input[name="mode"][value="digest"][checked]`, `input[name="hidden"][value="true"][checked]`, `input[name="own_posts"][value="false"][checked]`, `#vacation[value="2027-07-01..2027-07-21"]`)
	own.Set("vacation", "2027-07-21..2027-07-01")
	own.Set("mode", "each")
	v.post(path, own).want(http.StatusUnprocessableEntity, "#vacation-error", `#vacation[value="2027-07-21..2027-07-01"]`)
	v.get(mine).want(http.StatusOK, `input[name="mode"][value="digest"][checked]`)
	v.post(path, url.Values{"address": {"member@people.example"}, "state": {"moderator"}}).want(http.StatusForbidden)

	v.get(path + "?address=anna@example.org").want(http.StatusNotFound)
	v.post(path, url.Values{"address": {"anna@example.org"}, "mode": {"none"}}).want(http.StatusNotFound)
	owner := w.as("owner@people.example")
	owner.get(path).want(http.StatusNotFound)
	const member = "/manage/lists/garden@lists.example/member"
	owner.get(member+"?address=member@people.example").want(http.StatusOK, `#vacation[value="2027-07-01..2027-07-21"]`)
	owner.post(member, url.Values{"address": {"member@people.example"}, "vacation": {"soon"}}).want(http.StatusUnprocessableEntity, "#vacation-error", `#vacation[value="soon"]`)
	owner.post(member, url.Values{"address": {"member@people.example"}, "vacation": {""}}).wantTo("/manage/lists/garden@lists.example/members")
	owner.get(member+"?address=member@people.example").want(http.StatusOK, `#vacation:not([value])`)
}
