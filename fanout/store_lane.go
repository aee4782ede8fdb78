package fanout

import (
	"context"
	"encoding/json"
	"fmt"
)

// saveLanes writes down what a node tells of its lanes.
func saveLanes(ctx context.Context, q querier, node int64, lanes []byte) error {
	if _, err := q.Exec(ctx, `UPDATE node SET lanes = $2::text::jsonb WHERE id = $1 AND dead IS NULL`, node, string(lanes)); err != nil {
		return fmt.Errorf("lanes of node %d: %w", node, err)
	}
	return nil
}

// selectLanes reads what the living nodes tell.
func selectLanes(ctx context.Context, q querier) ([]laneState, error) {
	type row struct {
		ID    int64
		Lanes string
	}
	rows, err := collect[row](ctx, q, `SELECT id, lanes::text AS lanes FROM node WHERE dead IS NULL ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("lanes of nodes: %w", err)
	}
	var all []laneState
	for _, r := range rows {
		var of []laneState
		if err := json.Unmarshal([]byte(r.Lanes), &of); err != nil {
			return nil, fmt.Errorf("lanes of node %d: %w", r.ID, err)
		}
		all = append(all, of...)
	}
	return all, nil
}
