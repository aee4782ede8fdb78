package privatepg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Muster works as a role that owns its database and nothing else: a mistake in one of its queries
// is not a way to the machine. The superuser is for a person with psql.
const (
	roleSuper      = "postgres"
	roleMuster     = "muster"
	databaseMuster = "muster"
)

// prepare makes the role and the database, each where it is not there: whoever was to do it last
// time may have been killed in between.
func prepare(ctx context.Context, socketDir string) error {
	conn, err := pgx.Connect(ctx, socketURL(socketDir, roleSuper, "postgres"))
	if err != nil {
		return fmt.Errorf("private PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range []string{
		"CREATE ROLE " + roleMuster + " LOGIN",
		"CREATE DATABASE " + databaseMuster + " OWNER " + roleMuster,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil && !alreadyThere(err) {
			return fmt.Errorf("private PostgreSQL: %s: %w", sql, err)
		}
	}
	return nil
}

func alreadyThere(err error) bool {
	const duplicateObject, duplicateDatabase = "42710", "42P04"
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == duplicateObject || pg.Code == duplicateDatabase)
}
