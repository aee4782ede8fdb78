package lists

import (
	"context"
	"fmt"

	"muster/lists/mailauth"
	"muster/lists/verdict"
	"muster/smtp"
)

// Explanation is a message as it might come to a list.
type Explanation struct {
	Message       Message
	From          smtp.Address // reverse-path; zero for the address in From
	Null          bool         // the reverse-path is null
	Authenticated bool         // as if the author's domain vouched for it; else nothing is known of that
}

// Explain tells those who moderate a list what would become of a message, and why. Nothing is kept, counted
// or mailed. It does not look for another message with the same Message-ID. The refusal is nil where there is
// none.
func (s *Service) Explain(ctx context.Context, by Actor, listID int64, e Explanation) (verdict.Decision, *Error, error) {
	l, err := s.moderate(ctx, s.pool, by, listID)
	if err != nil {
		return verdict.Decision{}, nil, err
	}
	read, err := s.readLetter(e.Message)
	if err != nil {
		return verdict.Decision{}, nil, err
	}
	target := Target{Kind: TargetPost, Address: l.Address(), Domain: l.DomainID, List: l}
	a := &acceptance{s: s, letter: read, at: s.cfg.Now(), dry: true, looked: true, env: Envelope{From: e.From, To: []Target{target}}}
	if e.From.IsZero() && !e.Null {
		a.env.From = a.author()
	}
	if e.Authenticated {
		a.found = mailauth.Finding{Results: []mailauth.Result{{Method: mailauth.MethodAuth, Value: mailauth.Pass}}, Aligned: true}
		a.authres = a.found.Field(s.authservID())
	}
	a.addTargets()
	if err := a.judge(ctx); err != nil {
		return verdict.Decision{}, nil, fmt.Errorf("message to %s: %w", l.Address(), err)
	}
	return a.parts[0].decision, a.parts[0].outcome.Refusal, nil
}

// IsApproval knows the fields that hold a moderator's password, by their names in lower case.
func IsApproval(name string) bool { return verdict.IsApproval(name) }
