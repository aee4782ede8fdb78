package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Wait is a destination whose trouble a copy waits out that was not tried yet, or is due again.
type Wait struct {
	Destination string
	Until       time.Time // it is left alone
	Reply       string    // its latest trouble
}

func selectWaits(ctx context.Context, q querier, post uuid.UUID, key string) ([]Wait, error) {
	waits, err := collect[Wait](ctx, q, `
		SELECT d.name AS destination, d.blocked AS until, d.reply
		FROM fanout f JOIN member m ON m.list = ANY(f.lists) AND m.key = $2
		JOIN shard s ON s.fanout = f.id AND s.state IN ('ready', 'claimed')
		JOIN shard_members sm ON sm.shard = s.id AND sm.members @> ARRAY[m.id]
		JOIN destination d ON d.id = s.dest
		WHERE f.post = $1 AND array_position(sm.members, m.id) > s.done AND d.blocked IS NOT NULL
		ORDER BY s.id`, post, key)
	if err != nil {
		return nil, fmt.Errorf("waits of %s in post %s: %w", key, post, err)
	}
	return waits, nil
}
