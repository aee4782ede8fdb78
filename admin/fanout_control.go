package admin

import (
	"context"

	"github.com/google/uuid"
)

func (s *Site) pausePost(v *visit) error  { return s.control(v, Control.Pause, "fanout.paused") }
func (s *Site) resumePost(v *visit) error { return s.control(v, Control.Resume, "fanout.resumed") }
func (s *Site) cancelPost(v *visit) error { return s.control(v, Control.Cancel, "fanout.cancelled") }

// control does something to the fan-out of the post in the path. One that is through is left alone.
func (s *Site) control(v *visit, do func(Control, context.Context, uuid.UUID, string) error, done string) error {
	post, _, err := s.findPost(v)
	if err != nil {
		return err
	}
	piece, err := s.progressOf(v, post)
	if err != nil {
		return err
	}
	if s.cfg.Control == nil || piece.Fanout == nil {
		return errNoPage
	}
	if piece.Running {
		if err := do(s.cfg.Control, v.Request().Context(), post.ID, v.actor.Name); err != nil {
			return err
		}
	} else {
		done = "fanout.over"
	}
	return v.done(v.manageURL("posts", post.Ref), done)
}

func (s *Site) holdMail(v *visit) error    { return s.turn(v, Control.HoldAll, "queue.held") }
func (s *Site) releaseMail(v *visit) error { return s.turn(v, Control.ReleaseAll, "queue.released") }

// turn turns the switch of all outgoing mail.
func (s *Site) turn(v *visit, do func(Control, context.Context, string) error, done string) error {
	if s.cfg.Control == nil {
		return errNoPage
	}
	if err := do(s.cfg.Control, v.Request().Context(), v.actor.Name); err != nil {
		return err
	}
	return v.done("/manage/queue", done)
}
