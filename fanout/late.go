package fanout

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"muster/lists"
)

const (
	// maxLateFanouts bounds the posts of a list that are looked at to say what is late, the oldest first.
	maxLateFanouts = 100
	// settling is how long sending goes on before anything is called late: what waited because nobody
	// sent goes out now.
	settling = 15 * time.Minute
)

// EachLate calls yield with what has waited for longer than a time, list by list, until it returns an
// error. What is held waits on purpose, and from its release on it has that time again.
func (e *Engine) EachLate(ctx context.Context, after time.Duration, yield func(lists.Late) error) error {
	settled, err := hasSettled(ctx, e.pool, min(after, settling))
	if err != nil || !settled {
		return err
	}
	released, err := selectReleases(ctx, e.pool, after)
	if err != nil {
		return err
	}
	ids, err := selectLateLists(ctx, e.pool, after)
	if err != nil {
		return err
	}
	for _, id := range ids {
		late, err := e.late(ctx, id, after, released)
		if err != nil {
			return err
		}
		if len(late.Posts) == 0 {
			continue
		}
		if err := yield(late); err != nil {
			return err
		}
	}
	return nil
}

// late is what of one list is late.
func (e *Engine) late(ctx context.Context, list int64, after time.Duration, released []Selection) (lists.Late, error) {
	late := lists.Late{List: list}
	fanouts, err := selectLateFanouts(ctx, e.pool, list, after)
	if err != nil || len(fanouts) == 0 {
		return late, err
	}
	if len(fanouts) > maxLateFanouts {
		fanouts, late.More = fanouts[:maxLateFanouts], true
	}
	ids := make([]int64, len(fanouts))
	for i, f := range fanouts {
		ids[i] = f.ID
	}
	waits, err := selectLateWaits(ctx, e.pool, ids)
	if err != nil {
		return late, err
	}
	late.Told, err = selectLateTold(ctx, e.pool, list)
	sumLate(&late, fanouts, waits, released)
	return late, err
}

// sumLate adds up what waits by post and by place.
func sumLate(late *lists.Late, fanouts []lateFanout, waits []lateWait, released []Selection) {
	places := map[string]*lists.LatePlace{}
	var again int64
	for _, f := range fanouts {
		post := lists.LatePost{ID: f.Post, Ref: f.Ref, Subject: f.Subject, Accepted: f.Accepted, Aside: f.Aside}
		for _, w := range waits {
			if w.Fanout != f.ID || lately(released, Selection{List: late.List, Destination: w.Dest, Post: f.Post}) {
				continue
			}
			post.Copies += w.Copies
			post.Aside = post.Aside || w.Aside
			addPlace(places, w)
			if w.Again {
				again += w.Copies
			}
		}
		if post.Copies > 0 || post.Aside && !lately(released, Selection{List: late.List, Post: f.Post}) {
			late.Posts = append(late.Posts, post)
			late.Copies += post.Copies
		}
	}
	late.More = late.More || again >= MaxCounted
	for _, p := range places {
		late.Places = append(late.Places, *p)
	}
	slices.SortFunc(late.Places, func(a, b lists.LatePlace) int {
		return cmp.Or(-cmp.Compare(a.Copies, b.Copies), cmp.Compare(a.Name, b.Name))
	})
}

// addPlace counts what waits for a place, and keeps the words of the youngest post that has any.
func addPlace(places map[string]*lists.LatePlace, w lateWait) {
	name := placeName(w)
	p := places[name]
	if p == nil {
		p = &lists.LatePlace{Name: name}
		places[name] = p
	}
	p.Copies += w.Copies
	if w.Reply != "" {
		p.Host, p.Reply = w.Host, strings.ToValidUTF8(w.Reply[:min(len(w.Reply), maxWords)], "")
	}
}

// placeName is where copies wait to go, for who knows domains and not the queue.
func placeName(w lateWait) string {
	if domain, ok := strings.CutPrefix(w.Dest, destDomain("")); ok {
		return domain
	}
	if w.Dest == destMixed {
		return w.Domain
	}
	return w.Dest
}

// lately says whether a hold of a part of the queue is among those lifted.
func lately(released []Selection, what Selection) bool {
	return slices.ContainsFunc(released, func(r Selection) bool {
		return (r.List == 0 || r.List == what.List) && (r.Destination == "" || r.Destination == what.Destination) &&
			(r.Post == uuid.Nil || r.Post == what.Post)
	})
}
