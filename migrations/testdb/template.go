package testdb

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations"
)

// lockTemplate is the advisory lock under which a template is made, so that packages tested in
// parallel against one server make it once.
const lockTemplate = 0x6d75737465727462

// migrated is the server with two databases on it that hold the schema: the template, which nobody
// connects to (it could not be cloned meanwhile), and the one for transactions that are rolled
// back. Both are named after the schema and outlive the process on a server that does.
type migrated struct {
	*server
	template, rollback string
}

var theMigrated = sync.OnceValues(func() (migrated, error) {
	s, err := theServer()
	if err != nil {
		return migrated{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	m := migrated{server: s, template: "muster_template_" + migrations.Hash(), rollback: "muster_rollback_" + migrations.Hash()}
	return m, m.make(ctx)
})

func (m migrated) make(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, m.url.String())
	if err != nil {
		return fmt.Errorf("the tests' PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // and with it the lock
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(lockTemplate)); err != nil {
		return fmt.Errorf("lock on the template: %w", err)
	}
	var have int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_database WHERE datname IN ($1, $2)", m.template, m.rollback).Scan(&have); err != nil {
		return err
	}
	if have == 2 {
		return nil
	}
	if err := m.do(ctx, "DROP DATABASE IF EXISTS "+m.template, "DROP DATABASE IF EXISTS "+m.rollback, "CREATE DATABASE "+m.rollback); err != nil {
		return err
	}
	if err := migrate(ctx, m.database(m.rollback)); err != nil {
		return err
	}
	// The template comes second, so that having both means that the migration went through.
	return m.do(ctx, m.clone(m.template, m.rollback))
}

// clone is the quickest way to a database like another one: wal_log copies its blocks through the
// WAL where file_copy would force two checkpoints.
func (m migrated) clone(name, from string) string {
	return fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY wal_log", name, from)
}

func migrate(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool)
}
