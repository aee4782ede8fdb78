package lists

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// querier is what a pool and a transaction have in common, so that a store function serves both.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// pgText makes text from outside, that no parser has looked at, one that PostgreSQL takes: valid
// UTF-8 without NUL.
func pgText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// collect runs a query and returns all its rows, for results known to be few.
func collect[T any](ctx context.Context, q querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}

// collectOne is collect for a query of one row; pgx.ErrNoRows if there is none.
func collectOne[T any](ctx context.Context, q querier, sql string, args ...any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
}

// SQLSTATE classes that the services act on.
const (
	sqlUniqueViolation      = "23505"
	sqlSerializationFailure = "40001"
	sqlDeadlockDetected     = "40P01"
	sqlNoStatement          = "26000"
)

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func isUnique(err error) bool { return sqlState(err) == sqlUniqueViolation }

// lostRace says whether the same transaction may succeed when it is run again.
func lostRace(err error) bool {
	state := sqlState(err)
	return state == sqlSerializationFailure || state == sqlDeadlockDetected
}

func noRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
