package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"muster/admin"
)

// What was reported of a post's copies is on its page, in words, whatever it is.
func TestReportsOfAPost(t *testing.T) {
	t.Parallel()
	f := &fanout{}
	w := newWorld(t, func(cfg *admin.Config) { cfg.Progress, cfg.Queue = f, f })
	const list = "garden@lists.example"
	w.member(list, "eve@member.example")
	p := w.post(list, "eve@member.example", tulips)
	v := w.as("owner@people.example")
	path := "/manage/lists/" + list + "/posts/" + p.Ref
	now := admin.Fanout{Planned: true, Copies: 52, Delivered: 52}
	f.now.Store(&now)
	if text := v.get(path).want(http.StatusOK).textAt("main"); strings.Contains(text, "Reported") {
		t.Errorf("nothing was reported, and the page says\n%s", text)
	}
	told := now
	for i, kind := range []string{"delayed", "relayed", "expanded", "delivered", "failed", "displayed", "dispatched", "processed", "deleted"} {
		told.Reports = append(told.Reports, admin.Reported{Kind: kind, Copies: int64(40 + i), More: kind == "displayed"})
	}
	f.now.Store(&told)
	text := v.get(path).want(http.StatusOK).wantText("delivered to mailbox 43, failed 44, displayed more than 45, ").textAt("main")
	if strings.Contains(text, "fanout.reported") {
		t.Errorf("a report without a word for it:\n%s", text)
	}
}
