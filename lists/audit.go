package lists

import (
	"context"
	"fmt"
)

// audit writes what an actor changed, in the transaction that changes it. What is 0 for list is
// about the whole site. Params name what changed, never a secret.
func audit(ctx context.Context, q querier, by Actor, action string, list int64, params map[string]any) error {
	if err := insertAudit(ctx, q, by.auditName(), action, list, params); err != nil {
		return fmt.Errorf("audit of %s: %w", action, err)
	}
	return nil
}

func (a Actor) auditName() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Client
}
