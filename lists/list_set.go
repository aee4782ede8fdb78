package lists

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists/verdict"
)

// SetList changes settings of a list, all or none.
func (s *Service) SetList(ctx context.Context, by Actor, listID int64, changes []Change) (List, error) {
	changes, err := s.hashSecrets(ctx, Settings(), changes)
	if err != nil {
		return List{}, err
	}
	var l List
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockList(ctx, tx, listID); err != nil {
			return err
		}
		before, err := s.manage(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		l = before
		if err := l.mayChange(by, changes); err != nil {
			return err
		}
		if err := l.set(changes); err != nil {
			return err
		}
		if err := beginNew(ctx, tx, &l, before); err != nil {
			return err
		}
		if err := s.setSiblings(ctx, tx, by, &l, before); err != nil {
			return err
		}
		if err := updateList(ctx, tx, l); err != nil {
			return fmt.Errorf("list %s: %w", l.Address(), err)
		}
		return audit(ctx, tx, by, "list.set", listID, changed(changes, before.Get))
	})
	if err != nil {
		return List{}, err
	}
	return l, nil
}

// changed notes for the audit what each changed setting was and is.
func changed(changes []Change, before func(key string) string) map[string]any {
	params := map[string]any{}
	for _, c := range changes {
		params[c.Key] = map[string]string{"from": before(c.Key), "to": c.Value}
		if o, ok := optionOf(c.Key); ok && o.Secret {
			params[c.Key] = secretShown
		}
	}
	return params
}

// hashSecrets puts the hash in the place of a secret that is to be set. "none" takes it away.
func (s *Service) hashSecrets(ctx context.Context, table []Setting, changes []Change) ([]Change, error) {
	for i, c := range changes {
		if !slices.ContainsFunc(table, func(s Setting) bool { return s.Key == c.Key && s.Secret }) {
			continue
		}
		changes = slices.Clone(changes)
		changes[i].Value = ""
		if c.Value == "" || c.Value == noSecret {
			continue
		}
		hashed, err := s.hashPassword(ctx, c.Value)
		if e := (*Error)(nil); errors.As(err, &e) {
			e.Field = c.Key
		}
		if err != nil {
			return nil, err
		}
		changes[i].Value = hashed
	}
	return changes, nil
}

// noSecret takes a secret away, where nothing entered means that it stays.
const noSecret = "none"

// beginNew notes from when on members are new, where first posts of new members begin to be held.
func beginNew(ctx context.Context, tx pgx.Tx, l *List, before List) error {
	const key = "new_member_posts"
	if l.Get(key) == before.Get(key) || before.Get(key) != "" && before.Get(key) != "0" {
		return nil
	}
	now, err := selectNow(ctx, tx)
	if err != nil {
		return fmt.Errorf("list %s: %w", l.Address(), err)
	}
	l.Rules = l.Rules.with(verdict.NewSince, now.Format(time.RFC3339Nano))
	return nil
}

// RemoveList ends a list. Its address is free at once; its rows stay for the traces that refer to
// them. Lists that it was a member of lose that member.
func (s *Service) RemoveList(ctx context.Context, by Actor, listID int64) error {
	if err := requireAdmin(by); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		l, _, err := s.see(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		if err := deleteList(ctx, tx, listID); err != nil {
			return fmt.Errorf("list %s: %w", l.Address(), err)
		}
		return audit(ctx, tx, by, "list.remove", listID, map[string]any{"address": l.Address().String()})
	})
}
