package admin_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"muster/admin"
	"muster/lists"
)

// post brings a message to a list as an SMTP session would, and returns it as it was kept.
func (w *world) post(list, from, text string) lists.Post {
	w.t.Helper()
	text = strings.ReplaceAll(text, "\n", "\r\n")
	target, err := w.lists.Resolve(w.ctx(), parse(w.t, list))
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := w.lists.Accept(w.ctx(), lists.Envelope{From: parse(w.t, from), To: []lists.Target{target}, Client: "192.0.2.1", Received: "from a by b"},
		lists.Message{Size: int64(len(text)), HeaderLen: int64(strings.Index(text, "\r\n\r\n") + 4), Open: func() io.ReadCloser {
			return io.NopCloser(strings.NewReader(text))
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	if out[0].Refusal != nil {
		w.t.Fatal(out[0].Refusal)
	}
	page, err := w.lists.Posts(w.ctx(), lists.CLI(), w.find(list).ID, lists.PostQuery{Limit: 1})
	if err != nil || len(page.Posts) != 1 {
		w.t.Fatalf("%d posts, %v", len(page.Posts), err)
	}
	return page.Posts[0]
}

const tulips = `From: Eve <eve@member.example>
To: garden@lists.example
Subject: Tulips <script>alert(1)</script>
Message-ID: <tulips@member.example>
Date: Mon, 23 Nov 2026 12:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6ne Tulpen <script>alert(2)</script>
--b
Content-Type: text/html; name="../../evil.html"
Content-Disposition: attachment; filename="../../evil.html"

<script>alert(3)</script>
--b--
`

func TestHeldPosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const list = "garden@lists.example"
	w.set(list, "post_policy", "moderators")
	v := w.as("owner@people.example")
	v.get("/manage/lists/"+list+"/held").want(http.StatusOK, ".empty")

	p := w.post(list, "eve@member.example", tulips)
	held := w.notice("held", "owner@people.example")
	page := v.get(held).want(http.StatusOK, `form[action$="/release"] button`, `textarea[name="reason"]`)
	page.wantText("Schöne Tulpen <script>alert(2)</script>").wantText("evil.html").wantText("Each post is read before it goes to the list.")
	if page.one("main script") != nil || strings.Contains(page.body, "<script>alert") {
		t.Fatal("a script of a stranger is on the page")
	}
	v.get("/manage/lists/"+list+"/held").want(http.StatusOK, `a[href$="/posts/`+p.Ref+`"]`)
	v.get("/manage/lists/hidden@lists.example/posts/" + p.Ref).want(http.StatusNotFound)

	path := "/manage/lists/" + list + "/posts/" + p.Ref
	v.post(path+"/release", nil).wantTo(path)
	v.get(path).want(http.StatusOK, ".note.good").wantText("released")
	v.post(path+"/reject", url.Values{"reason": {"Off topic"}}).want(http.StatusConflict, `[role="alert"]`).wantText("was decided before, by")

	second := w.post(list, "eve@member.example", strings.ReplaceAll(tulips, "<tulips@", "<roses@"))
	v.post("/manage/lists/"+list+"/posts/"+second.Ref+"/reject", url.Values{"reason": {"Off topic"}}).wantTo("/manage/lists/" + list + "/held")
	v.get("/manage/lists/" + list + "/posts/" + second.Ref).want(http.StatusOK).wantText("Off topic")
	third := w.post(list, "eve@member.example", strings.ReplaceAll(tulips, "<tulips@", "<daisies@"))
	v.post("/manage/lists/"+list+"/posts/"+third.Ref+"/discard", nil).wantTo("/manage/lists/" + list + "/held")
	v.get("/manage/lists/" + list).want(http.StatusOK).wantText("discarded")
}

// fanout is a fan-out that a test moves on.
type fanout struct{ now atomic.Pointer[admin.Fanout] }

func (f *fanout) Progress(context.Context, uuid.UUID) (admin.Fanout, error) {
	return *f.now.Load(), nil
}

func (f *fanout) Queue(context.Context) (admin.Backlog, error) {
	return admin.Backlog{
		Unplanned: 1, Waiting: 1234, Deferred: 5, Most: 50_000_000, Oldest: time.Now().Add(-time.Hour),
		Destinations: []admin.Destination{
			{Name: "mx:member.example", Waiting: 1234, Deferred: 5, Oldest: time.Now().Add(-time.Hour), Connections: 3, Limit: 20,
				Host: "mx1.member.example", Words: "250 2.0.0 Ok: queued as <4XyZ>", Said: time.Now()},
			{Name: "mxset:mx1.quite.a.long.name.example=mx2.quite.a.long.name.example>backup.quite.a.long.name.example", Limit: 1,
				Blocked: time.Now().Add(time.Hour), Reply: "mx1.quite.a.long.name.example:25: greeting: 421 4.3.2 not now"},
		},
		Nodes: []admin.Node{{Name: "north", Since: time.Now().Add(-time.Hour), Seen: time.Now(), Alive: true}, {Name: "south"}},
	}, nil
}

func TestProgress(t *testing.T) {
	t.Parallel()
	f := &fanout{}
	f.now.Store(&admin.Fanout{Copies: 1000, Waiting: 1000})
	w := newWorld(t, func(c *admin.Config) { c.Progress, c.Queue = f, f })
	w.member("garden@lists.example", "eve@member.example")
	p := w.post("garden@lists.example", "eve@member.example", tulips)
	path := "/manage/lists/garden@lists.example/posts/" + p.Ref
	v := w.as("owner@people.example")
	v.get(path).want(http.StatusOK, `[data-live="`+path+`/progress"]`, `script[src^="/static/live.js"]`).wantText("1,000 waiting")
	if page := v.get(path); !strings.Contains(page.body, `<noscript><meta http-equiv="refresh"`) {
		t.Error("nothing moves without a script")
	}
	f.now.Store(&admin.Fanout{Planned: true, Copies: 1000, Delivered: 990, Deferred: 7, Bounced: 3, Replies: []admin.Answer{
		{Host: "mx.member.example", Reply: "450 4.2.1 <b>greylisted</b>", Copies: 7}}})
	piece := v.get(path+"/progress").want(http.StatusOK, `[data-live]`, `progress[max="1000"][value="993"]`)
	if !strings.Contains(piece.body, "&lt;b&gt;greylisted") || piece.one("header") != nil {
		t.Errorf("the piece:\n%s", piece.body)
	}
	f.now.Store(&admin.Fanout{Planned: true, Copies: 50_000, Delivered: 30_000, Deferred: 10_000, Bounced: 9_990, More: true, Waiting: 10})
	v.get(path).want(http.StatusOK).wantText("more than 10,000 tried again later").wantText("fewer than 9,990 refused")
	f.now.Store(&admin.Fanout{Planned: true, Copies: 1000, Delivered: 997, Bounced: 3})
	if v.get(path+"/progress").want(http.StatusOK).one("[data-live]") != nil {
		t.Error("the piece is fetched for ever")
	}
	if v.get(path).want(http.StatusOK).one("script") != nil {
		t.Error("a script for what does not move any more")
	}
	w.as("admin@people.example").get("/manage/queue").want(http.StatusOK).wantText("1,234 waiting").wantText("mx:member.example").
		wantText("3 / 20").wantText("250 2.0.0 Ok: queued as <4XyZ> (mx1.member.example)").wantText("left alone").wantText("421 4.3.2 not now")
}
