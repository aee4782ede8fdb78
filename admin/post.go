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
	HeldFor   string         // why it waits, in words
	Mine      bool           // the person has claimed it
	Answers   []lists.Canned // for who rejects
	Parts     []droppable    // what can be left out
	Subject   string         // in the form that changes it
	Forward   string         // address typed into the form that forwards
	progressPiece
}

// decision is one step of what was decided, in words.
type decision struct {
	At     time.Time
	Who    string // "" for the rules
	Action string
	Reason string
	Trace  []step // of what the rules decided
}

// step is a rule that was asked, in words.
type step struct {
	Asked, Found string
	Action       string // what the rule wants done; "" to go on
	Decided      bool
}

// droppable is a part that the copies of a held post may go without.
type droppable struct {
	N       int
	Name    string
	Type    string
	Size    int64
	Dropped bool
}

// postForm is what was typed into the forms of the page, for a try that failed.
type postForm struct {
	Reason  string
	Subject string
	Forward string
}

func (s *Site) showPost(v *visit) error { return s.renderPost(v, http.StatusOK, postForm{}, nil) }

func (s *Site) renderPost(v *visit, code int, form postForm, errs formErrors) error {
	post, decisions, err := s.findPost(v)
	if err != nil {
		return err
	}
	p := postPage{listFrame: v.listFrame(tabOf(post)), Post: post, Reason: form.Reason, Subject: form.Subject, Forward: form.Forward, Errors: errs}
	if post.Waits() {
		if err := s.fillDecide(v, &p); err != nil {
			return err
		}
	}
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
	if p.Waits() {
		return "held"
	}
	return "posts"
}

// decision puts a step into words. What a rule decided is a code that the catalogue knows; what
// a person decided is in their own words already.
func (v *visit) decision(d lists.Decision) decision {
	out := decision{At: d.At, Who: d.Actor, Action: d.Action, Reason: d.Reason}
	switch d.Actor {
	case lists.ActorRules:
		out.Who, out.Action, out.Reason = "", rulesAction(d.Action), v.reason(d.Reason)
	case lists.ActorClock:
		out.Who, out.Reason = v.words.Text("post.clock", nil), v.reason(d.Reason)
	}
	for _, t := range d.Trace {
		s := step{Action: rulesAction(string(t.Action)), Decided: t.Decided(d.Reason)}
		s.Asked, s.Found = v.words.Step(t.Rule, t.Answer, t.Params)
		out.Trace = append(out.Trace, s)
	}
	return out
}

// rulesAction is what rules did: their confirm is a question, where an author's is the answer.
func rulesAction(action string) string {
	if action == lists.ActionConfirm {
		return "ask"
	}
	return action
}

// reason is a code of the lists in words; a moderator's own words are in words already.
func (v *visit) reason(code string) string {
	if id := "reason." + code; v.words.Has(id) {
		return v.words.Text(id, nil)
	}
	return code
}
