package admin

import (
	"github.com/google/uuid"

	"muster/lists"
)

// postsPage are posts of a list, the youngest first: all, or those that are held.
type postsPage struct {
	listFrame
	Posts []postRow
	Next  string // id of the last post shown, if there are more
}

// postRow is a post of the page, with why it waits in words.
type postRow struct {
	lists.Post
	HeldFor string
}

func (s *Site) showPosts(v *visit) error { return s.renderPosts(v, "posts", "") }

func (s *Site) showHeld(v *visit) error { return s.renderPosts(v, "held", lists.PostHeld) }

func (s *Site) renderPosts(v *visit, tabName, state string) error {
	query := lists.PostQuery{State: state, Limit: 50}
	if before := v.QueryParam("before"); before != "" {
		id, err := uuid.Parse(before)
		if err != nil {
			return errNoPage
		}
		query.Before = id
	}
	found, err := s.lists.Posts(v.Request().Context(), v.actor, v.list.ID, query)
	if err != nil {
		return err
	}
	p := postsPage{listFrame: v.listFrame(tabName)}
	for _, post := range found.Posts {
		p.Posts = append(p.Posts, postRow{Post: post, HeldFor: v.reason(post.HeldFor)})
	}
	if found.More {
		p.Next = found.Posts[len(found.Posts)-1].ID.String()
	}
	return v.ok("posts", p)
}
