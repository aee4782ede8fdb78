package lists

import (
	"context"
	"fmt"

	"muster/smtp"
)

// expandPage is how many members are read at a time: enough that the database is not asked too
// often, little enough that no list needs memory.
const expandPage = 8000

// firstPage is read first, so that the first line does not wait for thousands.
const firstPage = 100

// Expand answers EXPN: it calls line for each member of a list in the order of their keys, or for
// each owner where arg is the owner address, and stops at the first error line returns. An error
// before the first line is a Unanswered; after one, it means that the rest could not be read.
//
// A nested list is one line. A client that reads slowly keeps neither a connection of the database nor a
// transaction, but two pages of members, and its time does not count: Config.Wait is
// for what comes before the first line, and for each page.
func (s *Service) Expand(ctx context.Context, who Asker, arg string, utf8 bool, line func(smtp.Mailbox) error) error {
	l, members, err := s.beforeLines(ctx, who, arg, utf8)
	if err != nil {
		return s.refuse(ctx, "EXPN", who, arg, err)
	}
	lines := 0
	counted := func(m smtp.Mailbox) error {
		lines++
		return line(m)
	}
	if members == nil {
		err = s.expandMembers(ctx, l, counted)
	}
	for _, m := range members {
		if err == nil {
			err = counted(m)
		}
	}
	// Who asked for a list of people is noted, as who was refused is.
	s.log.InfoContext(ctx, "list expanded", "list", l.Address().String(), "by", who.Actor.Name, "client", who.Actor.Client,
		"lines", lines, "whole", err == nil)
	return err
}

// roster is a list as the asker may see it.
type roster struct {
	List
	hidden bool // hidden members too
}

// beforeLines finds out all that must be known before the first line: which list, whether there is a
// line, whether it can be said. Owners, who are few, are known as a whole by then.
func (s *Service) beforeLines(ctx context.Context, who Asker, arg string, utf8 bool) (roster, []smtp.Mailbox, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Wait)
	defer cancel()
	l, owners, hidden, err := s.askExpand(ctx, who, arg)
	if err != nil {
		return roster{}, nil, err
	}
	r := roster{l, hidden}
	if owners {
		boxes, err := s.owners(ctx, l, utf8)
		return r, boxes, err
	}
	state, err := selectExpandable(ctx, s.pool, l.ID, hidden)
	switch {
	case err != nil:
		return r, nil, fmt.Errorf("members of %s: %w", l.Address(), err)
	case !state.Members:
		return r, nil, NoMembers
	case !state.Visible: // a list of nobody would be a lie, and so would be a list without members
		return r, nil, CannotSay
	case state.UTF8 && !utf8: // a member cannot be left out silently
		return r, nil, NeedsUTF8
	}
	return r, nil, nil
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
		return Elsewhere
	}
	return s.hiddenOrUnknown(ctx, t)
}

// expandMembers reads page by page, the next while the lines of one are written.
func (s *Service) expandMembers(ctx context.Context, l roster, line func(smtp.Mailbox) error) error {
	ctx, stop := context.WithCancel(ctx)
	read := func(p *rosterPage, after string, limit int) <-chan error {
		done := make(chan error, 1)
		go func() { done <- s.readPage(ctx, p, l, after, limit) }()
		return done
	}
	page, next := &rosterPage{}, &rosterPage{}
	reading := read(page, "", firstPage)
	defer func() {
		stop()
		if reading != nil {
			<-reading
		}
	}()
	for limit, after := firstPage, ""; ; limit = expandPage {
		err := <-reading
		reading = nil
		if err != nil {
			return fmt.Errorf("members of %s after %q: %w", l.Address(), after, err)
		}
		if after = page.last; len(page.members) == limit {
			reading = read(next, after, expandPage)
		}
		for _, m := range page.members {
			if err := line(m); err != nil {
				return err
			}
		}
		if reading == nil {
			return nil
		}
		page, next = next, page
	}
}

func (s *Service) readPage(ctx context.Context, page *rosterPage, l roster, after string, limit int) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Wait)
	defer cancel()
	return page.read(ctx, s.pool, l.ID, l.hidden, after, limit)
}

// owners are the owners of a list.
func (s *Service) owners(ctx context.Context, l List, utf8 bool) ([]smtp.Mailbox, error) {
	roles, err := selectOwners(ctx, s.pool, l.ID)
	if err != nil {
		return nil, fmt.Errorf("owners of %s: %w", l.Address(), err)
	}
	if len(roles) == 0 {
		return nil, NoMembers
	}
	owners := make([]smtp.Mailbox, 0, len(roles))
	for _, r := range roles {
		a := storedAddress(r.Address)
		if !utf8 && !a.ASCII() {
			return nil, NeedsUTF8
		}
		owners = append(owners, smtp.Mailbox{Name: r.Name, Address: a})
	}
	return owners, nil
}
