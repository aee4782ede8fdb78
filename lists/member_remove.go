package lists

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"muster/smtp"
)

// RemoveMember ends a membership: an owner or admin that of anybody, a member their own. An import
// does not bring back who went. With notify, the member is told by mail.
func (s *Service) RemoveMember(ctx context.Context, by Actor, listID int64, a smtp.Address, notify bool) error {
	return s.inTxWake(ctx, func(tx pgx.Tx) error {
		l, rights, err := s.see(ctx, tx, by, listID)
		if err != nil {
			return err
		}
		reason := tombRemoved
		if by.Has(a.Key()) {
			reason = tombLeft
		} else if !rights.Manages() {
			return deniedMember(l)
		}
		m, err := s.part(ctx, tx, l, a.Key(), reason)
		if err != nil {
			return memberError(l, a, err)
		}
		if notify {
			if err := s.tellLeft(ctx, tx, l, m); err != nil {
				return err
			}
		}
		return audit(ctx, tx, by, "member.remove", listID, map[string]any{"address": m.Address, "reason": reason})
	})
}

// part ends a membership and leaves the tombstone; pgx.ErrNoRows if there is no membership.
func (s *Service) part(ctx context.Context, tx pgx.Tx, l List, key, reason string) (Member, error) {
	m, err := endMember(ctx, tx, l.ID, key)
	if err != nil {
		return Member{}, err
	}
	if err := insertTombstone(ctx, tx, l.ID, keyHash(key), reason); err != nil {
		return Member{}, fmt.Errorf("tombstone of %s on %s: %w", m.Address, l.Address(), err)
	}
	return m, nil
}
