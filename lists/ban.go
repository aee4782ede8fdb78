package lists

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
	"muster/smtp"
)

// Ban keeps senders out of a list, or with ListID 0 out of all lists of the site: who has an address that the
// pattern is for cannot post or join.
type Ban struct {
	ListID  int64  `db:"list_id"`
	Pattern string // an address, @domain, @*.domain for all below it, or ^regular expression
	Action  string // what becomes of their posts: of verdict reject, hold or discard
	Note    string // for those who look at it later
	Actor   string // who made it
	At      time.Time
}

// Bounds of the bans of a list.
const (
	maxBanRegexps = 200 // each is tried at each post
	maxBanNote    = 200
)

// AddBan makes a ban, or changes what an existing one does. A ban of the site is an administrator's.
func (s *Service) AddBan(ctx context.Context, by Actor, b Ban) (Ban, error) {
	pattern, err := readBan(b)
	if err != nil {
		return Ban{}, err
	}
	b.Pattern, b.Note, b.Actor = pattern.String(), smtp.CleanName(b.Note), by.auditName()
	err = s.changeBans(ctx, by, b.ListID, func(tx pgx.Tx, l List) error {
		n, err := countBanRegexps(ctx, tx, b.ListID)
		if err != nil {
			return fmt.Errorf("bans of %s: %w", banned(l), err)
		}
		if n >= maxBanRegexps && pattern.IsRegexp() {
			e := Errorf(Invalid, "ban.many", "there may be %d regular expressions among the bans, not more", maxBanRegexps)
			e.Field, e.Params = "pattern", map[string]any{"Max": maxBanRegexps}
			return e
		}
		if b, err = insertBan(ctx, tx, b); err != nil {
			return fmt.Errorf("ban of %s from %s: %w", b.Pattern, banned(l), err)
		}
		return audit(ctx, tx, by, "ban.add", b.ListID, map[string]any{"pattern": b.Pattern, "action": b.Action})
	})
	return b, err
}

// readBan checks a ban that is to be made.
func readBan(b Ban) (verdict.Pattern, error) {
	pattern, err := verdict.ReadPattern(strings.TrimSpace(b.Pattern))
	if err != nil || pattern.List() != "" {
		e := Errorf(Invalid, "ban.pattern", "%q is no address, @domain, @*.domain or ^regular expression", clip(b.Pattern))
		e.Field, e.Params = "pattern", map[string]any{"Text": clip(b.Pattern)}
		return pattern, e
	}
	if !slices.Contains(BanActions(), b.Action) {
		e := Errorf(Invalid, "ban.action", "%q is none of %s", clip(b.Action), strings.Join(BanActions(), ", "))
		e.Field = "action"
		return pattern, e
	}
	if len(b.Note) > maxBanNote {
		e := Errorf(Invalid, "setting.long", "the note is too long: it may have %d octets", maxBanNote)
		e.Field, e.Params = "note", map[string]any{"Key": "note", "Max": maxBanNote}
		return pattern, e
	}
	return pattern, nil
}

// BanActions are what can become of posts of who is banned.
func BanActions() []string {
	return []string{string(verdict.Reject), string(verdict.Hold), string(verdict.Discard)}
}

// RemoveBan lifts a ban.
func (s *Service) RemoveBan(ctx context.Context, by Actor, listID int64, pattern string) error {
	if p, err := verdict.ReadPattern(strings.TrimSpace(pattern)); err == nil {
		pattern = p.String()
	}
	return s.changeBans(ctx, by, listID, func(tx pgx.Tx, l List) error {
		gone, err := deleteBan(ctx, tx, listID, pgText(pattern))
		if err != nil {
			return fmt.Errorf("ban of %s from %s: %w", clip(pattern), banned(l), err)
		}
		if !gone {
			e := Errorf(NotFound, "ban.unknown", "%s does not ban %s", banned(l), clip(pattern))
			e.Params = map[string]any{"Pattern": clip(pattern)}
			return e
		}
		return audit(ctx, tx, by, "ban.remove", listID, map[string]any{"pattern": pattern})
	})
}

// changeBans does something to the bans of a list, and notes with it whether there are any, so that others
// are not asked for theirs.
func (s *Service) changeBans(ctx context.Context, by Actor, listID int64, change func(pgx.Tx, List) error) error {
	if listID == 0 {
		if err := requireAdmin(by); err != nil {
			return err
		}
		err := s.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := lockSite(ctx, tx); err != nil {
				return fmt.Errorf("bans of the site: %w", err)
			}
			return change(tx, List{})
		})
		s.ruled.Store(nil)
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockList(ctx, tx, listID); err != nil {
			return err
		}
		l, err := s.manage(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		if err := change(tx, l); err != nil {
			return err
		}
		any, err := hasBans(ctx, tx, listID)
		if err != nil {
			return fmt.Errorf("bans of %s: %w", l.Address(), err)
		}
		word := ""
		if any {
			word = "true"
		}
		if l.Rules = l.Rules.with(keyBans, word); err == nil {
			err = updateList(ctx, tx, l)
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", l.Address(), err)
		}
		return nil
	})
}

// banned names whose bans are meant.
func banned(l List) string {
	if l.ID == 0 {
		return "the site"
	}
	return l.Address().String()
}

// BanPage is a page of bans.
type BanPage struct {
	Bans []Ban
	More bool
}

// Bans are those of a list, or with 0 of the site, in the order of their patterns after one of them.
func (s *Service) Bans(ctx context.Context, by Actor, listID int64, after string) (BanPage, error) {
	if listID == 0 {
		if err := requireAdmin(by); err != nil {
			return BanPage{}, err
		}
	} else if _, err := s.manage(ctx, s.pool, by, listID); err != nil {
		return BanPage{}, err
	}
	found, err := selectBans(ctx, s.pool, listID, pgText(after), defaultPage+1)
	if err != nil {
		return BanPage{}, fmt.Errorf("bans: %w", err)
	}
	more := len(found) > defaultPage
	return BanPage{Bans: found[:min(len(found), defaultPage)], More: more}, nil
}

// banOf is the ban that is for one of the addresses, of the list or the site; nil for none. Of several, an
// entry that can be looked up counts before a regular expression, and the list's before the site's.
func (s *Service) banOf(ctx context.Context, q querier, listID int64, senders ...smtp.Address) (*verdict.Ban, error) {
	senders = slices.DeleteFunc(slices.Clone(senders), smtp.Address.IsZero)
	var forms []string
	for _, a := range senders {
		forms = append(forms, verdict.Forms(a)...)
	}
	if len(forms) == 0 {
		return nil, nil
	}
	found, err := selectBansOf(ctx, q, listID, forms)
	if err != nil {
		return nil, fmt.Errorf("bans of %s: %w", senders[0], err)
	}
	for _, b := range found {
		pattern, err := verdict.ReadPattern(b.Pattern)
		if err != nil {
			s.log.WarnContext(ctx, "a ban cannot be read", "list", b.ListID, "pattern", b.Pattern, "error", err)
			continue
		}
		if slices.ContainsFunc(senders, pattern.Match) {
			return &verdict.Ban{Pattern: b.Pattern, Site: b.ListID == 0, Action: verdict.Action(b.Action)}, nil
		}
	}
	return nil, nil
}
