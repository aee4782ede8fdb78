package admin

import (
	"net/http"
	"time"

	"muster/lists"
)

// postPage is one post: what was decided on it, how far its copies are, and its text.
type postPage struct {
	listFrame
	Post      lists.Post
	Decisions []decision
	Mail      letter
	Reason    string // typed into the form that rejects
	Errors    formErrors
	progressPiece
}

// decision is one step of what was decided, in words.
type decision struct {
	At     time.Time
	Who    string // "" for the rules
	Action string
	Reason string
}

func (s *Site) showPost(v *visit) error { return s.renderPost(v, http.StatusOK, "", nil) }

func (s *Site) renderPost(v *visit, code int, reason string, errs formErrors) error {
	post, decisions, err := s.findPost(v)
	if err != nil {
		return err
	}
	p := postPage{listFrame: v.listFrame(tabOf(post)), Post: post, Reason: reason, Errors: errs}
	for _, d := range decisions {
		p.Decisions = append(p.Decisions, v.decision(d))
	}
	if p.Mail, err = s.readLetter(v, post); err != nil {
		return err
	}
	if p.progressPiece, err = s.progressOf(v, post); err != nil {
		return err
	}
	return v.show(code, "post", p)
}

// findPost is the post in the path, if it is one of the list in the path.
func (s *Site) findPost(v *visit) (lists.Post, []lists.Decision, error) {
	post, decisions, err := s.lists.PostByRef(v.Request().Context(), v.actor, v.param("post"))
	if err == nil && post.ListID != v.list.ID {
		err = errNoPage
	}
	return post, decisions, err
}

func tabOf(p lists.Post) string {
	if p.State == lists.PostHeld {
		return "held"
	}
	return "posts"
}

// decision puts a step into words. What a rule decided is a code that the catalogue knows; what
// a person decided is in their own words already.
func (v *visit) decision(d lists.Decision) decision {
	out := decision{At: d.At, Who: d.Actor, Action: d.Action, Reason: d.Reason}
	if d.Actor != lists.ActorRules {
		return out
	}
	out.Who = ""
	if id := "reason." + d.Reason; v.words.Has(id) {
		out.Reason = v.words.Text(id, nil)
	}
	return out
}

func (s *Site) releasePost(v *visit) error {
	post, _, err := s.findPost(v)
	if err != nil {
		return err
	}
	if _, err := s.lists.ReleasePost(v.Request().Context(), v.actor, post.ID); err != nil {
		return s.undecided(v, err, "")
	}
	return v.done(v.manageURL("posts", post.Ref), "post.released")
}

func (s *Site) rejectPost(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	post, _, err := s.findPost(v)
	if err != nil {
		return err
	}
	reason := form.Get("reason")
	if _, err := s.lists.RejectPost(v.Request().Context(), v.actor, post.ID, reason); err != nil {
		return s.undecided(v, err, reason)
	}
	return v.done(v.manageURL("held"), "post.rejected")
}

func (s *Site) discardPost(v *visit) error {
	post, _, err := s.findPost(v)
	if err != nil {
		return err
	}
	if _, err := s.lists.DiscardPost(v.Request().Context(), v.actor, post.ID); err != nil {
		return s.undecided(v, err, "")
	}
	return v.done(v.manageURL("held"), "post.discarded")
}

// undecided shows the post again with what came between: mostly another moderator.
func (s *Site) undecided(v *visit, err error, reason string) error {
	errs, code, err := v.refused(err, "reason")
	if err != nil {
		return err
	}
	return s.renderPost(v, code, reason, errs)
}
