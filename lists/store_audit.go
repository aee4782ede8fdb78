package lists

import "context"

const auditInsert = `INSERT INTO audit (actor, action, list, params) VALUES ($1, $2, nullif($3, 0::bigint), $4)`

func insertAudit(ctx context.Context, q querier, actor, action string, list int64, params map[string]any) error {
	if params == nil {
		params = map[string]any{}
	}
	_, err := q.Exec(ctx, auditInsert, actor, action, list, params)
	return err
}
