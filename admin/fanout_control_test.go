package admin_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"muster/admin"
	"muster/lists"
)

// control notes what it was told.
type control struct {
	mu      sync.Mutex
	told    []string
	allHeld atomic.Bool
	full    atomic.Bool
}

func (c *control) note(words ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, strings.Join(words, " "))
	return nil
}

func (c *control) Pause(_ context.Context, post uuid.UUID, by string) error {
	return c.note("pause", post.String(), by)
}
func (c *control) Resume(_ context.Context, post uuid.UUID, by string) error {
	return c.note("resume", post.String(), by)
}
func (c *control) Cancel(_ context.Context, post uuid.UUID, by string) error {
	return c.note("cancel", post.String(), by)
}
func (c *control) HoldAll(_ context.Context, by string) error {
	c.allHeld.Store(true)
	return c.note("hold", by)
}
func (c *control) ReleaseAll(_ context.Context, by string) error {
	c.allHeld.Store(false)
	return c.note("release", by)
}
func (c *control) AllHeld(context.Context) (bool, error) { return c.allHeld.Load(), nil }
func (c *control) Full() bool                            { return c.full.Load() }

// An owner pauses, resumes and cancels what is on its way; a moderator sees it and does not.
func TestPauseResumeCancel(t *testing.T) {
	t.Parallel()
	f, c := &fanout{}, &control{}
	f.now.Store(&admin.Fanout{Planned: true, Copies: 1000, Waiting: 1000})
	w := newWorld(t, func(cfg *admin.Config) { cfg.Progress, cfg.Queue, cfg.Control = f, f, c })
	const list = "garden@lists.example"
	w.member(list, "eve@member.example")
	p := w.post(list, "eve@member.example", tulips)
	path := "/manage/lists/" + list + "/posts/" + p.Ref
	if err := w.lists.SetRole(w.ctx(), lists.CLI(), w.find(list).ID, parse(t, "other@people.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	moderator := w.as("other@people.example")
	if moderator.get(path).want(http.StatusOK, "progress").one(`details form[action$="/cancel"]`) != nil {
		t.Error("a moderator is offered what only owners may do")
	}
	for _, act := range []string{"/pause", "/resume", "/cancel"} {
		moderator.post(path+act, nil).want(http.StatusForbidden)
	}
	v := w.as("owner@people.example")
	v.get(path).want(http.StatusOK, `form[action$="/pause"] button`, `details form[action$="/cancel"] button.danger`)
	v.post(path+"/pause", nil).wantTo(path)
	f.now.Store(&admin.Fanout{Planned: true, Copies: 1000, Waiting: 1000, Paused: true})
	v.get(path).want(http.StatusOK, ".note.good", ".badge.warn", `form[action$="/resume"] button`).wantText("until somebody resumes it")
	f.now.Store(&admin.Fanout{Planned: true, Copies: 1000, Waiting: 1000, Paused: true, Stopped: true})
	v.get(path).want(http.StatusOK, `form[action$="/resume"] button`).wantText("Servers refused too many of its copies for good. Nothing is sent until somebody resumes it")
	v.post(path+"/resume", nil).wantTo(path)
	f.now.Store(&admin.Fanout{Planned: true, Copies: 1000, Waiting: 1000, Held: true})
	v.get(path).want(http.StatusOK, `form[action$="/pause"] button`).wantText("held by an administrator")
	v.post(path+"/cancel", nil).wantTo(path)
	f.now.Store(&admin.Fanout{Planned: true, Copies: 10, Delivered: 10, Cancelled: true})
	if v.get(path).want(http.StatusOK).wantText("The copies that were left are not sent").one(`form[action$="/cancel"]`) != nil {
		t.Error("what is through can be cancelled")
	}
	v.post(path+"/pause", nil).wantTo(path)
	v.get(path).want(http.StatusOK).wantText("Nothing was changed")
	const by = " owner@people.example"
	want := []string{"pause " + p.ID.String() + by, "resume " + p.ID.String() + by, "cancel " + p.ID.String() + by}
	if !slices.Equal(c.told, want) {
		t.Errorf("told %q, want %q", c.told, want)
	}
}

// Who waits for mail that goes to somebody else is told, and an administrator to whom.
func TestRedirectedMailIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *admin.Config) { cfg.RedirectedTo = "all@staging.example" })
	for _, v := range []*visitor{w.visitor(), w.as("owner@people.example")} {
		v.get("/").want(http.StatusOK, ".note.bad").wantText("being tried out")
		if strings.Contains(v.get("/").body, "staging") {
			t.Error("everybody is told the address")
		}
	}
	w.as("admin@people.example").get("/manage").want(http.StatusOK, ".note.bad").wantText("All of it goes to all@staging.example")
	if newWorld(t).visitor().get("/").want(http.StatusOK).one(".note.bad") != nil {
		t.Error("an alarm about nothing")
	}
}

// The one switch is an administrator's, who is reminded of it on every page; that nothing more is
// taken in is said to everybody who is signed in.
func TestSwitchOfAllMail(t *testing.T) {
	t.Parallel()
	f, c := &fanout{}, &control{}
	w := newWorld(t, func(cfg *admin.Config) { cfg.Progress, cfg.Queue, cfg.Control = f, f, c })
	v, owner := w.as("admin@people.example"), w.as("owner@people.example")
	if v.get("/manage/queue").want(http.StatusOK, `form[action="/manage/queue/hold"] button`).one(`.note.bad`) != nil {
		t.Error("an alarm about nothing")
	}
	owner.post("/manage/queue/hold", nil).want(http.StatusForbidden)
	v.post("/manage/queue/hold", nil).wantTo("/manage/queue")
	v.get("/manage/queue").want(http.StatusOK, ".note.bad", `form[action="/manage/queue/release"] button`)
	if strings.Contains(v.get("/manage/queue").body, "max_backlog") {
		t.Error("the queue is said to be full")
	}
	v.get("/manage").want(http.StatusOK, `.note.bad a[href="/manage/queue"]`).wantText("No mail goes out")
	if owner.get("/manage").want(http.StatusOK).one(".note.bad") != nil {
		t.Error("an owner is led to a switch that is not theirs")
	}
	v.post("/manage/queue/release", nil).wantTo("/manage/queue")
	if want := []string{"hold admin@people.example", "release admin@people.example"}; !slices.Equal(c.told, want) {
		t.Errorf("told %q, want %q", c.told, want)
	}
	c.full.Store(true)
	v.get("/manage/queue").want(http.StatusOK, ".note.warn").wantText("More than 50,000,000 copies wait")
	owner.get("/manage/lists/garden@lists.example").want(http.StatusOK, ".note.warn")
	owner.get("/manage").want(http.StatusOK, ".note.warn").wantText("new posts are put off")
	if w.visitor().get("/").want(http.StatusOK).one(".note.warn") != nil {
		t.Error("a stranger is told how the queue is")
	}
}
