package lists

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists/edit"
	"muster/lists/verdict"
)

// What is done to a held post as an action of a Decision, without deciding on it but for ActionConfirm: its author
// answered, or, where the rules did it, is asked.
const (
	ActionEdit    = "edit"
	ActionForward = "forward"
	ActionConfirm = "confirm"
)

// PostEdit is what a moderator changes of a held post before it goes out.
type PostEdit struct {
	Subject *string // nil: as it is
	Drop    []int   // parts to leave out, as PostParts counts them, from 1
}

// PostParts are the parts of a post that can be left out of its copies. Those that were already are among
// them, so that their numbers stay.
func (s *Service) PostParts(ctx context.Context, by Actor, p Post) ([]edit.Part, error) {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.WriteRaw(ctx, by, p, w)
		w.CloseWithError(err)
		done <- err
	}()
	found, err := edit.Parts(r)
	r.Close()
	if writeErr := <-done; writeErr != nil && err == nil && writeErr != io.ErrClosedPipe {
		err = writeErr
	}
	if err != nil {
		return nil, fmt.Errorf("parts of post %s: %w", p.ID, err)
	}
	return found, nil
}

// EditPost changes what the copies of a held post will be. The message itself stays as it came.
func (s *Service) EditPost(ctx context.Context, by Actor, id uuid.UUID, change PostEdit) (Post, error) {
	before, _, err := s.PostByID(ctx, by, id)
	if err != nil {
		return Post{}, err
	}
	edits, err := s.edits(ctx, by, before, change)
	if err != nil {
		return Post{}, err
	}
	var p Post
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		l, locked, err := s.lockWaiting(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if err := locked.free(by); err != nil {
			return err
		}
		p = locked
		for _, e := range edits {
			if e.Op == edit.OpDrop && locked.Edits.Dropped(edit.Part{From: e.From, To: e.To}) {
				continue
			}
			if p, err = s.edit(ctx, tx, by, p, e); err != nil {
				return fmt.Errorf("post %s: %w", id, err)
			}
		}
		return audit(ctx, tx, by, "post.edit", l.ID, map[string]any{"post": id.String(), "edits": edits})
	})
	return p, err
}

// edit writes one change, and what it was into the history of the post.
func (s *Service) edit(ctx context.Context, tx pgx.Tx, by Actor, p Post, e edit.Edit) (Post, error) {
	words := "- " + e.Name
	if e.Op == edit.OpSubject {
		words = p.Subject + " → " + e.Subject
		p.Subject = e.Subject
	}
	edited, err := updateEdits(ctx, tx, p, append(p.Edits, e))
	if err != nil {
		return Post{}, err
	}
	return edited, insertDecision(ctx, tx, p.ID, by.auditName(), ruling{action: ActionEdit, reason: words})
}

// edits are the changes in terms of the message.
func (s *Service) edits(ctx context.Context, by Actor, p Post, change PostEdit) (edit.Edits, error) {
	var edits edit.Edits
	if change.Subject != nil {
		subject := verdict.CleanSubject(*change.Subject)
		if subject == "" {
			e := Errorf(Invalid, "edit.subject", "a subject cannot be changed to none")
			e.Field = "subject"
			return nil, e
		}
		if subject != p.Subject {
			edits = append(edits, edit.Edit{Op: edit.OpSubject, Subject: subject})
		}
	}
	if len(change.Drop) == 0 {
		return edits, nil
	}
	parts, err := s.PostParts(ctx, by, p)
	if err != nil {
		return nil, err
	}
	for _, n := range change.Drop {
		if n < 1 || n > len(parts) {
			e := Errorf(Invalid, "edit.part", "the post has no part %d that can be left out", n)
			e.Field, e.Params = "drop", map[string]any{"N": n}
			return nil, e
		}
		part := parts[n-1]
		edits = append(edits, edit.Edit{Op: edit.OpDrop, From: part.From, To: part.To, Name: partName(part)})
	}
	return edits, nil
}

// partName is how a part is called in the history.
func partName(p edit.Part) string {
	name := verdict.CleanSubject(strings.TrimSpace(p.Name + " (" + p.Type + ")"))
	return strings.TrimPrefix(name, " ")
}
