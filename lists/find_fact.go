package lists

import (
	"context"
	"fmt"
	"io"

	"muster/lists/verdict"
)

// decide asks the rules of a part's list, finding out what they ask for on the way.
func (a *acceptance) decide(ctx context.Context, p *part) error {
	for {
		p.facts.Authentication = a.authentication()
		p.decision = verdict.Judge(&p.facts)
		if p.decision.Needs == 0 {
			return nil
		}
		if err := a.find(ctx, p, p.decision.Needs); err != nil {
			return fmt.Errorf("post to %s: %w", p.target.List.Address(), err)
		}
		p.facts.Have |= p.decision.Needs
	}
}

// find finds out what a rule needs. What is the same for all recipients is found once.
func (a *acceptance) find(ctx context.Context, p *part, needs verdict.Need) (err error) {
	f := &p.facts
	for _, fact := range []struct {
		need verdict.Need
		find func() error
	}{
		{verdict.NeedBan, func() error {
			f.Ban, err = a.s.banOf(ctx, a.s.pool, p.target.List.ID, a.author(), a.env.From)
			return err
		}},
		{verdict.NeedPassword, func() error { f.Password, err = a.approval(ctx, p); return err }},
		{verdict.NeedAuthentication, func() error { return a.look(ctx) }},
		{verdict.NeedText, func() error { f.Text, err = a.text(); return err }},
		{verdict.NeedStructure, func() error { f.Structure, err = a.structure(); return err }},
		{verdict.NeedRate, func() error { f.Recent, err = a.recent(ctx, p); return err }},
		{verdict.NeedNeighbour, func() error {
			f.Neighbour, err = selectNeighbour(ctx, a.s.pool, f.Options.Neighbours(), a.authorKeys())
			return err
		}},
	} {
		if needs&fact.need == 0 {
			continue
		}
		if err := fact.find(); err != nil {
			return err
		}
	}
	return nil
}

// authorKeys are by what the author may be known. AUTH counts for every address that a person proved.
func (a *acceptance) authorKeys() []string {
	if a.asAuthor() {
		return a.env.By.Keys
	}
	return []string{a.author().Key()}
}

// text is the beginning of the message as a person reads it.
func (a *acceptance) text() (string, error) {
	if a.read.text == nil {
		raw, err := a.letter.start(maxCommandMail)
		if err != nil {
			return "", err
		}
		text := plainText(raw)
		a.read.text = &text
	}
	return *a.read.text, nil
}

// structure is what parts the message has.
func (a *acceptance) structure() (verdict.Structure, error) {
	if a.read.structure == nil {
		message, err := a.letter.open()
		if err != nil {
			return verdict.Structure{}, err
		}
		defer message.Close()
		found, err := readStructure(message)
		if err != nil {
			return verdict.Structure{}, fmt.Errorf("message: %w", err)
		}
		a.read.structure = &found
	}
	return *a.read.structure, nil
}

// readStructure takes whatever makes the parser give up for a message that cannot be read.
func readStructure(message io.Reader) (found verdict.Structure, err error) {
	defer func() {
		if recover() != nil {
			found, err = verdict.Structure{Odd: true}, nil
		}
	}()
	return verdict.ReadStructure(message)
}

// recent is how many posts the author sent to the list in the time of its post_rate, this one among them.
func (a *acceptance) recent(ctx context.Context, p *part) (int, error) {
	l := limit{name: fmt.Sprintf("posts-%d", p.target.List.ID), window: p.facts.Options.PostRate.Window}
	key := l.key(a.author().Key())
	if a.dry {
		n, err := selectRate(ctx, a.s.pool, key)
		return n + 1, err
	}
	return countRate(ctx, a.s.pool, key, l.window)
}

// approval compares the password in Approved. After some wrong ones of a client, or many of all, none is looked
// at for a while, so that nobody finds it by trying.
func (a *acceptance) approval(ctx context.Context, p *part) (verdict.PasswordState, error) {
	password, _ := verdict.Approval(p.facts.Header)
	counters := a.approvalCounters(p)
	for key, l := range counters {
		wrong, err := selectRate(ctx, a.s.pool, key)
		if err != nil || wrong >= l.most {
			return verdict.PasswordUnread, err
		}
	}
	same, err := a.s.checkPassword(ctx, password, p.facts.Options.Password)
	switch {
	case err != nil:
		return verdict.PasswordUnread, err
	case same:
		return verdict.PasswordRight, nil
	case a.dry:
		return verdict.PasswordWrong, nil
	}
	for key, l := range counters {
		if _, err := countRate(ctx, a.s.pool, key, l.window); err != nil {
			return verdict.PasswordWrong, err
		}
	}
	return verdict.PasswordWrong, nil
}

// approvalCounters are what counts wrong passwords for a list. A client that passes on mail of others is not
// counted by itself: anybody behind it could keep the moderators from theirs.
func (a *acceptance) approvalCounters(p *part) map[string]limit {
	list := fmt.Sprint(p.target.List.ID)
	counters := map[string]limit{a.s.limits.approvalsPerList.key(list): a.s.limits.approvalsPerList}
	if client := clientKey(a.env.Client); client != "" && !a.env.Trusted {
		counters[a.s.limits.approvalsPerClient.key(list+" "+client)] = a.s.limits.approvalsPerClient
	}
	return counters
}
