package lists_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"muster/lists"
)

// heldSite has a list whose posts are held, with three that are.
func heldSite(t *testing.T) (*site, lists.List, []uuid.UUID) {
	t.Helper()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"post_policy": "moderators"}, "owner@a.example")
	s.add(l, "ann@a.example")
	var held []uuid.UUID
	for _, id := range []string{"1", "2", "3"} {
		held = append(held, s.wantFates(post(id, "ann@a.example", "dev@lists.example"), "held")[0].Post)
	}
	s.noticed("held owner@a.example", "held owner@a.example", "held owner@a.example")
	return s, l, held
}

func TestReleasePost(t *testing.T) {
	t.Parallel()
	s, _, held := heldSite(t)
	if n := one[int](s, `SELECT count(*) FROM post WHERE accepted IS NOT NULL`); n != 0 {
		t.Fatalf("%d held posts are queued", n)
	}
	wakes := s.wakes.Load()
	p, err := s.ReleasePost(t.Context(), as("owner@a.example"), held[1])
	if err != nil || p.State != lists.PostAccepted || p.Accepted == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if s.wakes.Load() == wakes {
		t.Error("the fan-out was not woken")
	}
	_, decisions, err := s.PostByID(t.Context(), lists.CLI(), held[1])
	if err != nil || len(decisions) != 2 || decisions[1].Action != "release" || decisions[1].Actor != "owner@a.example" {
		t.Errorf("decided %+v, %v", decisions, err)
	}
	_, err = s.RejectPost(t.Context(), lists.CLI(), held[1], "no")
	wantKind(t, err, lists.Conflict)
	if !strings.Contains(err.Error(), "was decided before, by owner@a.example") {
		t.Errorf("the second is told %q", err)
	}
	s.wantFates(post("2", "ann@a.example", "dev@lists.example"), "duplicate")
	if _, action, params := s.audited(); action != "post.release" || params["post"] != held[1].String() {
		t.Errorf("audited %s %v", action, params)
	}
}

// TestDecideRaced has many moderators decide at once: one does.
func TestDecideRaced(t *testing.T) {
	t.Parallel()
	s, _, held := heldSite(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	first := 0
	for i := range 12 {
		wg.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				_, err = s.ReleasePost(t.Context(), lists.CLI(), held[0])
			case 1:
				_, err = s.RejectPost(t.Context(), lists.CLI(), held[0], "")
			default:
				_, err = s.DiscardPost(t.Context(), lists.CLI(), held[0])
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				first++
			} else if lists.KindOf(err) != lists.Conflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := one[int](s, `SELECT count(*) FROM decision WHERE post = $1`, held[0]); first != 1 || n != 1 {
		t.Errorf("%d were first, %d decisions", first, n)
	}
}

func TestRejectPost(t *testing.T) {
	t.Parallel()
	s, _, held := heldSite(t)
	p, err := s.RejectPost(t.Context(), as("owner@a.example"), held[0], "Not here,\r\nplease")
	if err != nil || p.State != lists.PostRejected {
		t.Fatalf("%+v, %v", p, err)
	}
	if n := s.noticed("post-rejected ann@a.example")[0]; n.Params["Reason"] != "Not here,\nplease" || n.Params["MessageID"] != "<1@a.example>" {
		t.Errorf("the author is told %v", n.Params)
	}
	s.wantFates(post("1", "ann@a.example", "dev@lists.example"), "held") // its Message-ID is free
	s.noticed("held owner@a.example")

	stranger := s.wantFates(post("9", "eve@e.example", "dev@lists.example"), "held")[0].Post
	s.noticed("held owner@a.example")
	if _, err := s.RejectPost(t.Context(), lists.CLI(), stranger, "no"); err != nil {
		t.Fatal(err)
	}
	s.noticed() // From proves nothing: nobody is mailed

	m := post("10", "zoe@z.example", "dev@lists.example")
	m.by = as("zoe@z.example")
	known := s.wantFates(m, "held")[0].Post
	s.noticed("held owner@a.example", "post-held zoe@z.example")
	if _, err := s.RejectPost(t.Context(), lists.CLI(), known, ""); err != nil {
		t.Fatal(err)
	}
	s.noticed("post-rejected zoe@z.example")
}

func TestDiscardPost(t *testing.T) {
	t.Parallel()
	s, _, held := heldSite(t)
	if p, err := s.DiscardPost(t.Context(), as("owner@a.example"), held[2]); err != nil || p.State != lists.PostDiscarded {
		t.Fatalf("%+v, %v", p, err)
	}
	s.noticed()
	s.wantFates(post("3", "ann@a.example", "dev@lists.example"), "held")
}

func TestPostsArePaged(t *testing.T) {
	t.Parallel()
	s, l, held := heldSite(t)
	page, err := s.Posts(t.Context(), as("owner@a.example"), l.ID, lists.PostQuery{State: lists.PostHeld, Limit: 2})
	if err != nil || len(page.Posts) != 2 || !page.More || page.Posts[0].ID != held[2] {
		t.Fatalf("first page %+v, %v", page, err)
	}
	page, err = s.Posts(t.Context(), as("owner@a.example"), l.ID, lists.PostQuery{State: lists.PostHeld, Limit: 2, Before: page.Posts[1].ID})
	if err != nil || len(page.Posts) != 1 || page.More || page.Posts[0].ID != held[0] {
		t.Fatalf("second page %+v, %v", page, err)
	}
	if page, err = s.Posts(t.Context(), lists.CLI(), l.ID, lists.PostQuery{State: lists.PostAccepted}); err != nil || len(page.Posts) != 0 {
		t.Fatalf("accepted %+v, %v", page, err)
	}
}

// TestPostsAreForModerators asks as everybody who is none.
func TestPostsAreForModerators(t *testing.T) {
	t.Parallel()
	s, l, held := heldSite(t)
	ref := one[string](s, `SELECT ref FROM post WHERE id = $1`, held[0])
	for _, by := range []lists.Actor{lists.Anonymous("192.0.2.1"), as("ann@a.example"), as("eve@e.example")} {
		if _, err := s.Posts(t.Context(), by, l.ID, lists.PostQuery{}); lists.KindOf(err) != lists.Denied {
			t.Errorf("%s sees the posts: %v", by.Name, err)
		}
		_, _, byID := s.PostByID(t.Context(), by, held[0])
		_, _, byRef := s.PostByRef(t.Context(), by, ref)
		_, release := s.ReleasePost(t.Context(), by, held[0])
		_, reject := s.RejectPost(t.Context(), by, held[0], "")
		_, discard := s.DiscardPost(t.Context(), by, held[0])
		raw := s.WriteRaw(t.Context(), by, lists.Post{ID: held[0], ListID: l.ID}, &strings.Builder{})
		for i, err := range []error{byID, byRef, release, reject, discard, raw} {
			if lists.KindOf(err) != lists.NotFound {
				t.Errorf("%s, way %d: %v", by.Name, i, err)
			}
		}
	}
	_, _, err := s.PostByRef(t.Context(), lists.CLI(), "nosuchref")
	wantKind(t, err, lists.NotFound)
	_, err = s.ReleasePost(t.Context(), lists.CLI(), uuid.New())
	wantKind(t, err, lists.NotFound)
}

// TestWriteRawOfAnothersPost gives a post a list that it is not of.
func TestWriteRawOfAnothersPost(t *testing.T) {
	t.Parallel()
	s, _, held := heldSite(t)
	mine := s.list("mine@lists.example", nil, "eve@e.example")
	err := s.WriteRaw(t.Context(), as("eve@e.example"), lists.Post{ID: held[0], ListID: mine.ID}, &strings.Builder{})
	if lists.KindOf(err) != lists.NotFound {
		t.Errorf("an owner reads another list's post: %v", err)
	}
}

func TestAcceptWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.list("dev@lists.example", map[string]string{"post_policy": "anyone"})
	m := post("1", "ann@a.example", "dev@lists.example")
	env := s.envelope(m)
	s.pool.Close()
	out, err := s.Accept(t.Context(), env, m.message())
	var e *lists.Error
	if err == nil || errors.As(err, &e) || out != nil {
		t.Errorf("%v, %v", out, err)
	}
}
