package lists

import "context"

func insertSession(ctx context.Context, q querier, hash []byte, person int64, client string) error {
	_, err := q.Exec(ctx, `INSERT INTO session (token_hash, person, client) VALUES ($1, $2, $3)`, hash, person, client)
	return err
}

// A row is rewritten at most once a minute, not at each page.
const (
	sessionLive = `seen > now() - $2::interval AND made > now() - $3::interval`

	sessionSelect = `SELECT person, client <> $4 OR seen < now() - interval '1 minute'
FROM session WHERE token_hash = $1 AND ` + sessionLive

	sessionTouch = `UPDATE session SET seen = now(), client = $2 WHERE token_hash = $1`
)

// touchSession returns the person of a live session and notes that it was seen.
func touchSession(ctx context.Context, q querier, hash []byte, client string) (person int64, err error) {
	var stale bool
	if err := q.QueryRow(ctx, sessionSelect, hash, sessionIdle, sessionLife, client).Scan(&person, &stale); err != nil || !stale {
		return person, err
	}
	_, err = q.Exec(ctx, sessionTouch, hash, client)
	return person, err
}

func deleteSession(ctx context.Context, q querier, hash []byte) error {
	_, err := q.Exec(ctx, `DELETE FROM session WHERE token_hash = $1`, hash)
	return err
}

const sessionsSelect = `SELECT id, made, seen, client FROM session WHERE person = $1 AND ` + sessionLive + ` ORDER BY id DESC`

func selectSessions(ctx context.Context, q querier, person int64) ([]Session, error) {
	return collect[Session](ctx, q, sessionsSelect, person, sessionIdle, sessionLife)
}

func endSession(ctx context.Context, q querier, person, id int64) (found bool, err error) {
	tag, err := q.Exec(ctx, `DELETE FROM session WHERE person = $1 AND (id = $2 OR $2 = 0)`, person, id)
	return tag.RowsAffected() > 0, err
}
