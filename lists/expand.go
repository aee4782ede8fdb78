package lists

import (
	"context"
	"fmt"

	"muster/smtp"
)

// expandPage is how many members are read at a time: enough that the database is not asked too
// often, little enough that no list needs memory.
const expandPage = 2000

// Expand answers EXPN: it calls line for each member of a list in the order of their keys, or for
// each owner where arg is the owner address, and stops at the first error line returns. An error
// before the first line is a Unanswered; after one, it means that the rest could not be read.
//
// A nested list is one line. Nothing is held while line runs: a client that reads slowly keeps
// neither a connection of the database nor a transaction.
func (s *Service) Expand(ctx context.Context, who Asker, arg string, utf8 bool, line func(smtp.Mailbox) error) error {
	l, owners, hidden, err := s.askExpand(ctx, who, arg)
	if err != nil {
		return s.refuse(ctx, "EXPN", who, arg, err)
	}
	if owners {
		return s.expandOwners(ctx, who, l, utf8, line)
	}
	state, err := selectExpandable(ctx, s.pool, l.ID, hidden)
	switch {
	case err != nil:
		return s.refuse(ctx, "EXPN", who, arg, fmt.Errorf("members of %s: %w", l.Address(), err))
	case !state.Members:
		return s.refuse(ctx, "EXPN", who, arg, NoMembers)
	case !state.Visible: // a list of nobody would be a lie, and so would be a list without members
		return s.refuse(ctx, "EXPN", who, arg, CannotSay)
	case state.UTF8 && !utf8: // a member cannot be left out silently
		return s.refuse(ctx, "EXPN", who, arg, NeedsUTF8)
	}
	return s.expandMembers(ctx, l, hidden, line)
}

// askExpand finds the list that arg names and asks whether it may be expanded.
func (s *Service) askExpand(ctx context.Context, who Asker, arg string) (l List, owners, hidden bool, err error) {
	t, err := s.asked(ctx, who, arg)
	if err != nil {
		return List{}, false, false, err
	}
	if t.Kind != TargetPost && t.Kind != TargetOwner {
		return List{}, false, false, s.noList(ctx, who, t)
	}
	may, hidden, err := s.mayExpand(ctx, who, t.List)
	if err != nil {
		return List{}, false, false, err
	}
	if !may {
		return List{}, false, false, denied(who, t.List)
	}
	return t.List, t.Kind == TargetOwner, hidden, nil
}

// noList is why what is not a list cannot be expanded.
func (s *Service) noList(ctx context.Context, who Asker, t Target) error {
	switch _, person, err := s.isPerson(ctx, who, t.Address); {
	case err != nil:
		return err
	case person:
		return NotAList
	case t.Kind == TargetForeign:
		return CannotSay
	}
	return s.hiddenOrUnknown(ctx, t)
}

// expandMembers reads page by page.
func (s *Service) expandMembers(ctx context.Context, l List, hidden bool, line func(smtp.Mailbox) error) error {
	page := rosterPage{members: make([]smtp.Mailbox, 0, expandPage)}
	for {
		if err := page.read(ctx, s.pool, l.ID, hidden); err != nil {
			return fmt.Errorf("members of %s after %q: %w", l.Address(), page.last, err)
		}
		for _, m := range page.members {
			if err := line(m); err != nil {
				return err
			}
		}
		if len(page.members) < expandPage {
			return nil
		}
	}
}

// expandOwners is for the few owners of a list.
func (s *Service) expandOwners(ctx context.Context, who Asker, l List, utf8 bool, line func(smtp.Mailbox) error) error {
	roles, err := selectOwners(ctx, s.pool, l.ID)
	if err != nil {
		return s.refuse(ctx, "EXPN", who, l.Role("owner").String(), fmt.Errorf("owners of %s: %w", l.Address(), err))
	}
	var owners []smtp.Mailbox
	for _, r := range roles {
		a := storedAddress(r.Address)
		if !utf8 && !a.ASCII() {
			return s.refuse(ctx, "EXPN", who, l.Role("owner").String(), NeedsUTF8)
		}
		owners = append(owners, smtp.Mailbox{Name: r.Name, Address: a})
	}
	if len(owners) == 0 {
		return s.refuse(ctx, "EXPN", who, l.Role("owner").String(), NoMembers)
	}
	for _, o := range owners {
		if err := line(o); err != nil {
			return err
		}
	}
	return nil
}
