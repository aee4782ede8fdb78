package admin

import (
	"net/http"

	"muster/lists"
)

// progressPiece is the part of a post's page that is fetched again and again while copies go out.
type progressPiece struct {
	Fanout  *Fanout // nil for a post that nobody gets, or where nothing is known
	Running bool
	Control bool // it can be paused and cancelled from here, by who manages the list
	Bar     bar
}

// bar is how much is done.
type bar struct{ Value, Max int64 }

// progressPage is that part alone.
type progressPage struct {
	listFrame
	Post lists.Post
	progressPiece
}

func (s *Site) progressOf(v *visit, p lists.Post) (progressPiece, error) {
	if s.cfg.Progress == nil || p.State != lists.PostAccepted {
		return progressPiece{}, nil
	}
	f, err := s.cfg.Progress.Progress(v.Request().Context(), p.ID)
	if err != nil {
		return progressPiece{}, err
	}
	running := !f.Done()
	return progressPiece{Fanout: &f, Running: running, Control: running && s.cfg.Control != nil && v.rights.Manages(), Bar: bar{Value: f.Delivered + f.Bounced, Max: max(f.Copies, 1)}}, nil
}

// showProgress answers the script of a post's page with the piece as it is now.
func (s *Site) showProgress(v *visit) error {
	post, _, err := s.findPost(v)
	if err != nil {
		return err
	}
	piece, err := s.progressOf(v, post)
	if err != nil {
		return err
	}
	if piece.Fanout == nil {
		return errNoPage
	}
	body, err := s.pages.Fragment(v.words.Lang, "post", "fanout", progressPage{listFrame: v.listFrame("posts"), Post: post, progressPiece: piece})
	if err != nil {
		return err
	}
	return v.HTMLBlob(http.StatusOK, body)
}
