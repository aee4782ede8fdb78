package admin

import (
	"strconv"
	"strings"

	"muster/lists"
	"muster/smtp"
)

// fillDecide adds what those who decide on a post are shown of it.
func (s *Site) fillDecide(v *visit, p *postPage) error {
	ctx := v.Request().Context()
	p.HeldFor = v.reason(p.Post.HeldFor)
	if p.Post.State == lists.PostUnconfirmed {
		p.HeldFor = v.reason("confirm")
	}
	if p.Subject == "" {
		p.Subject = p.Post.Subject
	}
	p.Mine = p.Post.ClaimedBy != "" && v.isActor(p.Post.ClaimedBy)
	var err error
	if p.Answers, err = s.lists.CannedAnswers(ctx, v.actor, v.list.ID); err != nil {
		return err
	}
	parts, err := s.lists.PostParts(ctx, v.actor, p.Post)
	if err != nil {
		return err
	}
	for i, part := range parts {
		p.Parts = append(p.Parts, droppable{
			N: i + 1, Name: line(part.Name), Type: line(part.Type), Size: part.To - part.From, Dropped: p.Post.Edits.Dropped(part),
		})
	}
	return nil
}

// isActor says whether a name in the history is the person's.
func (v *visit) isActor(name string) bool {
	if name == v.actor.Name {
		return true
	}
	a, err := smtp.ParseAddress(name)
	return err == nil && v.actor.Has(a.Key())
}

// onPost does something to the post in the path and goes on from there. Where something came between,
// mostly another moderator, it shows the post again, with what was typed.
func (s *Site) onPost(v *visit, typed postForm, do, done func(lists.Post) error) error {
	post, _, err := s.findPost(v)
	if err != nil {
		return err
	}
	if err := do(post); err != nil {
		errs, code, err := v.refused(err, "reason", "subject", "forward")
		if err != nil {
			return err
		}
		return s.renderPost(v, code, typed, errs)
	}
	return done(post)
}

func (s *Site) releasePost(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	release := s.lists.ReleasePost
	if form.Has("trust") {
		release = s.lists.TrustPost
	}
	return s.onPost(v, postForm{}, func(p lists.Post) error {
		_, err := release(v.Request().Context(), v.actor, p.ID)
		return err
	}, func(p lists.Post) error {
		if form.Has("trust") {
			return v.done(v.manageURL("posts", p.Ref), "post.trusted", "Address", p.Author)
		}
		return v.done(v.manageURL("posts", p.Ref), "post.released")
	})
}

func (s *Site) rejectPost(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	reason := form.Get("reason")
	return s.onPost(v, postForm{Reason: reason}, func(p lists.Post) error {
		words, err := s.answerWith(v, form.Get("answer"), reason)
		if err != nil {
			return err
		}
		_, err = s.lists.RejectPost(v.Request().Context(), v.actor, p.ID, words)
		return err
	}, func(lists.Post) error {
		return v.done(v.manageURL("held"), "post.rejected")
	})
}

// answerWith is an answer of the list, if one was chosen, with what was written beside.
func (s *Site) answerWith(v *visit, name, words string) (string, error) {
	if name == "" {
		return words, nil
	}
	text, err := s.lists.CannedText(v.Request().Context(), v.actor, v.list.ID, name)
	return strings.TrimSpace(text + "\n\n" + words), err
}

func (s *Site) discardPost(v *visit) error {
	return s.onPost(v, postForm{}, func(p lists.Post) error {
		_, err := s.lists.DiscardPost(v.Request().Context(), v.actor, p.ID)
		return err
	}, func(lists.Post) error {
		return v.done(v.manageURL("held"), "post.discarded")
	})
}

func (s *Site) holdPost(v *visit) error {
	return s.onPost(v, postForm{}, func(p lists.Post) error {
		_, err := s.lists.HoldPost(v.Request().Context(), v.actor, p.ID, "")
		return err
	}, func(p lists.Post) error {
		return v.done(v.manageURL("posts", p.Ref), "post.held")
	})
}

func (s *Site) claimPost(v *visit) error {
	return s.onPost(v, postForm{}, func(p lists.Post) error {
		_, err := s.lists.ClaimPost(v.Request().Context(), v.actor, p.ID)
		return err
	}, func(p lists.Post) error {
		return v.done(v.manageURL("posts", p.Ref), "post.claimed")
	})
}

func (s *Site) unclaimPost(v *visit) error {
	return s.onPost(v, postForm{}, func(p lists.Post) error {
		_, err := s.lists.UnclaimPost(v.Request().Context(), v.actor, p.ID)
		return err
	}, func(p lists.Post) error {
		return v.done(v.manageURL("posts", p.Ref), "post.unclaimed")
	})
}

func (s *Site) forwardPost(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	typed := form.Get("forward")
	return s.onPost(v, postForm{Forward: typed}, func(p lists.Post) error {
		to, err := address("forward", typed)
		if err != nil {
			return err
		}
		_, err = s.lists.ForwardPost(v.Request().Context(), v.actor, p.ID, to)
		return err
	}, func(p lists.Post) error {
		return v.done(v.manageURL("posts", p.Ref), "post.forwarded", "Address", typed)
	})
}

func (s *Site) editPost(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	subject := form.Get("subject")
	return s.onPost(v, postForm{Subject: subject}, func(p lists.Post) error {
		change := lists.PostEdit{}
		if subject != p.Subject {
			change.Subject = &subject
		}
		for _, text := range form["drop"] {
			n, err := strconv.Atoi(text)
			if err != nil {
				return errBadForm
			}
			change.Drop = append(change.Drop, n)
		}
		_, err := s.lists.EditPost(v.Request().Context(), v.actor, p.ID, change)
		return err
	}, func(p lists.Post) error {
		return v.done(v.manageURL("posts", p.Ref), "saved")
	})
}
