package lists

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxSiteKeys is how many keys six bits of a seal can name.
const maxSiteKeys = 64

// siteKeyOctets is the length of a site key's secret.
const siteKeyOctets = 32

// sealRefresh is how long a node may go on with the keys it read: another node may have made one.
const sealRefresh = time.Minute

// readSealer is the sealer of the keys as they were read.
type readSealer struct {
	*Sealer
	at time.Time
}

// Sealer makes and verifies seals with the site's keys. Hold it for one piece of work, not for the
// life of the process: keys change.
func (s *Service) Sealer(ctx context.Context) (*Sealer, error) { return s.sealer(ctx, s.pool) }

// sealer is Sealer for use inside a transaction, which must not wait for a second connection.
func (s *Service) sealer(ctx context.Context, q querier) (*Sealer, error) {
	if last := s.seals.Load(); last != nil && s.cfg.Now().Sub(last.at) < sealRefresh {
		return last.Sealer, nil
	}
	keys, err := selectSiteKeys(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("keys of seals: %w", err)
	}
	if len(keys) == 0 {
		return s.firstSealer(ctx, q)
	}
	made := newSealer(keys)
	s.seals.Store(&readSealer{made, s.cfg.Now()})
	return made, nil
}

// firstSealer makes the site's first key. It is not kept: the transaction it is made in may fail.
func (s *Service) firstSealer(ctx context.Context, q querier) (*Sealer, error) {
	if err := insertSiteKey(ctx, q, newSiteKey(0)); err != nil {
		return nil, fmt.Errorf("first key of seals: %w", err)
	}
	keys, err := selectSiteKeys(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("keys of seals: %w", err)
	}
	return newSealer(keys), nil
}

func newSiteKey(id int16) siteKey {
	secret := make([]byte, siteKeyOctets)
	rand.Read(secret) // never fails: it ends the program rather than be predictable
	return siteKey{ID: id, Secret: secret}
}

// RotateSealKey makes a new key, with which seals are made from now on; seals made with the keys
// before it go on being good, until 64 rotations later a key's place is needed for another.
func (s *Service) RotateSealKey(ctx context.Context, by Actor) error {
	if err := requireAdmin(by); err != nil {
		return err
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		keys, err := selectSiteKeys(ctx, tx)
		if err != nil {
			return fmt.Errorf("keys of seals: %w", err)
		}
		id := int16(0)
		if n := len(keys); n > 0 {
			id = (keys[n-1].ID + 1) % maxSiteKeys
		}
		if err := replaceSiteKey(ctx, tx, newSiteKey(id)); err != nil {
			return fmt.Errorf("key %d of seals: %w", id, err)
		}
		return audit(ctx, tx, by, "sealkey.rotate", 0, map[string]any{"key": id})
	})
	if err != nil {
		return err
	}
	s.seals.Store(nil)
	return nil
}
