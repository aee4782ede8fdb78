package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// querier is what a pool, a connection and a transaction have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// collect runs a query and returns all its rows, for results known to be few.
func collect[T any](ctx context.Context, q querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}

// collectIDs is collect for one column of ids.
func collectIDs(ctx context.Context, q querier, sql string, args ...any) ([]int64, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// maxTries bounds how often a transaction that lost against another is run again.
const maxTries = 5

// inTx runs fn in a transaction and commits if it returns nil. A deadlock or serialization failure
// runs it again from the start.
func inTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	return again(func() error { return pgx.BeginFunc(ctx, pool, fn) })
}

// again does what may lose a race until it does not, or has maxTries times.
func again(do func() error) (err error) {
	for range maxTries {
		if err = do(); !lostRace(err) {
			break
		}
	}
	return err
}

// lostRace says whether the same statement may succeed when it is run again.
func lostRace(err error) bool {
	state := sqlState(err)
	return state == "40001" || state == "40P01" // serialization_failure, deadlock_detected
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// isRefused says whether the database looked at what it was given and will never take it: bad
// data, a broken constraint, not a connection that went or a disk that is full.
func isRefused(err error) bool {
	state := sqlState(err)
	if len(state) != 5 {
		return false
	}
	switch state[:2] {
	case "21", "22", "23", "42": // cardinality, data exception, integrity, what is written in the statement
		return true
	}
	return false
}

// session is a connection of its own, for what must not wait for a place in the pool. It is made
// when it is needed and made again after it broke. Not for concurrent use.
type session struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn
}

func newSession(pool *pgxpool.Pool) *session {
	return &session{config: pool.Config().ConnConfig.Copy()}
}

func (s *session) open(ctx context.Context) (*pgx.Conn, error) {
	if s.conn != nil && !s.conn.IsClosed() {
		return s.conn, nil
	}
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

func (s *session) close() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // it is given up either way
	s.conn = nil
}

func notify(ctx context.Context, q querier) error {
	if _, err := q.Exec(ctx, `SELECT pg_notify($1, '')`, channel); err != nil {
		return fmt.Errorf("telling other nodes: %w", err)
	}
	return nil
}

func subscribe(ctx context.Context, q querier) error {
	if _, err := q.Exec(ctx, `LISTEN muster_fanout`); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	return nil
}
