package lists

import (
	"context"
	"fmt"
)

// Prune deletes what has run out: tokens, sessions, counters. It says how many rows went, in steps
// that lock few at a time. Whoever keeps the clock calls it.
func (s *Service) Prune(ctx context.Context) (rows int64, err error) {
	for _, statement := range pruneStatements() {
		for {
			n, err := prune(ctx, s.pool, statement)
			if err != nil {
				return rows, fmt.Errorf("prune: %w", err)
			}
			rows += n
			if n < pruneStep {
				break
			}
		}
	}
	return rows, nil
}
