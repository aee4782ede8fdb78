package lists_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"muster/lists"
)

func lateMail(l lists.List, told ...string) lists.Late {
	late := lists.Late{List: l.ID, Copies: 13, Told: told, Places: []lists.LatePlace{{Name: "b.example", Copies: 13, Host: "mx.b.example", Reply: "451 4.3.0 Later"}}}
	for n := range 13 {
		late.Posts = append(late.Posts, lists.LatePost{Ref: fmt.Sprint("ref", n), Subject: "Tulips", Accepted: time.Now(), Copies: 1})
	}
	return late
}

func (s *site) tellLate(late lists.Late, want int) {
	s.t.Helper()
	if n, err := s.TellLate(s.t.Context(), late); err != nil || n != want {
		s.t.Errorf("%d mailed, %v, want %d", n, err, want)
	}
}

// Owners are told once a day, each unless the mail before is still on its way to them.
func TestTellLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil, "ann@a.example", "ben@b.example")
	if err := s.SetRole(t.Context(), lists.CLI(), l.ID, addr(t, "mod@a.example"), lists.RoleModerator); err != nil {
		t.Fatal(err)
	}
	wakes := s.wakes.Load()
	s.tellLate(lateMail(l), 2)
	if s.wakes.Load() != wakes+1 {
		t.Error("nobody was woken")
	}
	sent := s.noticed("late ann@a.example", "late ben@b.example")
	posts := sent[0].Params["Posts"].([]any)
	first := posts[0].(map[string]any)
	if len(posts) != 10 || sent[0].Params["Others"] != 3.0 || sent[0].Params["Copies"] != 13.0 || first["URL"] != "/manage/lists/dev@lists.example/posts/ref0" {
		t.Errorf("%v", sent[0].Params)
	}
	s.tellLate(lateMail(l), 0)
	s.noticed()
	s.exec(`UPDATE rate SET until = now()`)
	s.tellLate(lateMail(l, "ann@a.example"), 1)
	s.noticed("late ben@b.example")
	s.tellLate(lists.Late{List: l.ID + 1000}, 0)
}

// However many nodes find the same, one tells it.
func TestTellLateOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", nil, "ann@a.example")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.TellLate(t.Context(), lateMail(l)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.noticed("late ann@a.example")
}

// Who owns many lists is not told of each.
func TestTellLateIsLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mailed := 0
	for n := range 8 {
		got, err := s.TellLate(t.Context(), lateMail(s.list(fmt.Sprintf("dev%d@lists.example", n), nil, "ann@a.example")))
		if err != nil {
			t.Fatal(err)
		}
		mailed += got
	}
	if mailed != 5 {
		t.Errorf("%d mails to one owner", mailed)
	}
}

// The owners of a list are told of a post that was stopped, a few times a day.
func TestTellStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.list("dev@lists.example", map[string]string{"post_policy": "anyone"}, "ann@a.example")
	out := s.accept(post("1", "zoe@z.example", "dev@lists.example"))
	s.notices()
	stopped := lists.Stopped{List: l.ID, Post: out[0].Post, Answered: 1500, Refused: 1000, Host: "mx.b.example", Reply: "550 5.1.1 No"}
	for range 7 {
		if err := s.TellStopped(t.Context(), stopped); err != nil {
			t.Fatal(err)
		}
	}
	sent := s.noticed("stopped ann@a.example", "stopped ann@a.example", "stopped ann@a.example", "stopped ann@a.example", "stopped ann@a.example")
	ref := one[string](s, `SELECT ref FROM post`)
	if p := sent[0].Params; p["URL"] != "/manage/lists/dev@lists.example/posts/"+ref || p["Refused"] != 1000.0 || p["Answer"] != "550 5.1.1 No" {
		t.Errorf("%v", p)
	}
	stopped.List += 1000
	if err := s.TellStopped(t.Context(), stopped); err != nil {
		t.Error(err)
	}
	s.noticed()
}
