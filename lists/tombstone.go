package lists

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// Reasons of a tombstone.
const (
	tombLeft    = "left"
	tombRemoved = "removed"
	tombBanned  = "banned"
)

// tombstone remembers by the hash of a key that somebody went.
type tombstone struct {
	KeyHash []byte `db:"key_hash"`
	Reason  string
	At      time.Time
}

func keyHash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// checkTombstone refuses to bring somebody back who went, or was sent away.
func checkTombstone(ctx context.Context, q querier, l List, m Member) error {
	t, err := selectTombstone(ctx, q, l.ID, keyHash(m.Key))
	if noRows(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tombstone of %s on %s: %w", m.Address, l.Address(), err)
	}
	return t.refusal(l, m)
}

func tombstoneWords(reason string) string {
	switch reason {
	case tombRemoved:
		return "was removed from"
	case tombBanned:
		return "was banned from"
	}
	return "left"
}

// refusal is the sentence that keeps out who went.
func (t tombstone) refusal(l List, m Member) *Error {
	date := t.At.UTC().Format(time.DateOnly)
	e := Errorf(Conflict, "member."+t.Reason, "%s %s %s on %s; to add them all the same, say so (--again)",
		m.Address, tombstoneWords(t.Reason), l.Address(), date)
	e.Field = "address"
	e.Params = map[string]any{"Address": m.Address, "List": l.Address().String(), "Date": date}
	return e
}
