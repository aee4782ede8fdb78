package lists

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
	"muster/smtp"
)

// challenge asks the author of a post, who may know nothing of it, whether it is theirs, and says whether
// it did. Beyond the limits, and where nobody would answer, moderators decide instead: a forger can have
// somebody asked a few times a day, and no post is lost for that.
func (a *acceptance) challenge(ctx context.Context, tx pgx.Tx, l List, p Post, d verdict.Decision) (asked bool, err error) {
	s := a.s
	author, err := smtp.ParseAddress(p.Author)
	if err != nil {
		return false, nil
	}
	if own, err := ownAddress(ctx, tx, author); err != nil || own.Ours {
		return false, err
	}
	for _, counted := range []struct {
		who  string
		most limit
	}{
		{clientKey(a.client()), s.limits.challengesPerClient},
		{author.Key(), s.limits.challengesPerAddress},
		{fmt.Sprint(l.ID), s.limits.challengesPerList},
	} {
		if within, err := s.count(ctx, tx, counted.most, counted.who); err != nil || !within {
			return false, err
		}
	}
	secret, hash := newSecret()
	_, err = insertToken(ctx, tx, hash, newToken{
		Purpose: PurposePost, List: l.ID, Key: author.Key() + " " + p.ID.String(), Life: confirmLife,
		Params: tokenParams{Address: p.Author, Post: p.ID.String(), Then: string(d.Then), Reason: d.Answer},
	})
	if err != nil {
		return false, fmt.Errorf("question to %s on %s: %w", p.Author, l.Address(), err)
	}
	return true, queueNotice(ctx, tx, Notice{Kind: NoticePostConfirm, List: l.ID, Address: p.Author, Params: PostConfirmParams{
		Subject: neutral(p.Subject), URL: s.url("confirm", secret), Reply: l.Role("confirm+" + secret).String(),
	}})
}

// maxNeutral is how much of a subject is repeated to somebody who may not have written it, in characters.
const maxNeutral = 60

// neutral makes a subject one that leads nowhere: what a stranger wrote must not become a page or an address
// in a mail of ours.
func neutral(subject string) string {
	words := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune(" ,;!?'\"+-_#&=%*", r) {
			return r
		}
		return ' '
	}, subject)
	runes := []rune(strings.Join(strings.Fields(words), " "))
	if len(runes) > maxNeutral {
		return string(runes[:maxNeutral]) + "…"
	}
	return string(runes)
}

// wouldWait says whether a post that was to go out when its author was asked, for a reason, is not to do so now
// that they have answered: the list or what they are to it may have changed in the days between.
func (s *Service) wouldWait(ctx context.Context, q querier, l List, p Post, reason string) (bool, error) {
	found, err := selectStandings(ctx, q, []int64{l.ID}, []string{p.authorKey()})
	if err != nil || len(found) == 0 {
		return true, err
	}
	st := found[0]
	options, err := st.Rules.options()
	if err != nil {
		return false, fmt.Errorf("list %s: %w", l.Address(), err)
	}
	byPolicy := reason == verdict.PolicyMember || reason == verdict.PolicyMembers || reason == verdict.PolicyAnyone
	switch {
	case options.Emergency:
		return true, nil
	case st.Moderates:
		return false, nil
	case st.Moderation != "" && st.Moderation != string(verdict.Accept):
		return true, nil
	case st.Trusted:
		return false, nil
	case st.Policy == PostModerators, st.Member && options.MemberAction != "" && options.MemberAction != verdict.Accept:
		return true, nil
	}
	return byPolicy && !st.Member && st.Policy != PostAnyone, nil
}

// confirmPost lets a post go where it would have gone without the question: to the members, or to who
// moderates the list. It says which, and whether the post had been decided on before.
func (s *Service) confirmPost(ctx context.Context, tx pgx.Tx, l List, t token) (waits, before bool, err error) {
	id, err := uuid.Parse(t.Params.Post)
	if err != nil {
		return false, false, fmt.Errorf("token for %s: %w", l.Address(), err)
	}
	p, err := lockPost(ctx, tx, id)
	if err != nil {
		return false, false, fmt.Errorf("post %s: %w", id, err)
	}
	if p.State != PostUnconfirmed {
		return false, true, nil
	}
	waits = t.Params.Then != string(verdict.Accept)
	if !waits {
		if waits, err = s.wouldWait(ctx, tx, l, p, t.Params.Reason); err != nil {
			return false, false, err
		}
		if waits {
			t.Params.Reason = verdict.PolicyModeration
		}
	}
	r := ruling{state: PostAccepted, action: string(verdict.Confirm)}
	if waits {
		r.state = PostHeld
	}
	if err := markAuthenticated(ctx, tx, id); err != nil {
		return false, false, fmt.Errorf("post %s: %w", id, err)
	}
	if p, err = s.rule(ctx, tx, t.Params.Address, p, r); err != nil || !waits {
		return false, false, err
	}
	if err := insertDecision(ctx, tx, id, ActorRules, ruling{action: string(verdict.Hold), reason: t.Params.Reason}); err != nil {
		return false, false, fmt.Errorf("decision on post %s: %w", id, err)
	}
	p.HeldFor = t.Params.Reason
	if err := s.tellHeld(ctx, tx, l, p); err != nil {
		return false, false, err
	}
	return true, false, s.tellAuthorHeld(ctx, tx, l, p)
}
