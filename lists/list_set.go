package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SetList changes settings of a list, all or none.
func (s *Service) SetList(ctx context.Context, by Actor, listID int64, changes []Change) (List, error) {
	var l List
	err := s.inTx(ctx, func(tx pgx.Tx) error {
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
	}
	return params
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
