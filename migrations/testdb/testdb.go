package testdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing" // what hands out databases to tests must be able to fail them
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// New gives the test a database of its own, through a pool of at most four connections.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(URL(t))
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL gives the test a database of its own by its URL, for a process that is to be tested whole.
func URL(t testing.TB) string {
	t.Helper()
	m, err := theMigrated()
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	name := databaseName(t.Name())
	if err := m.do(t.Context(), m.clone(name, m.template)); err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() { m.drop(t, name) })
	return m.database(name)
}

// Empty gives the test the URL of a database without the schema.
func Empty(t testing.TB) string {
	t.Helper()
	s, err := theServer()
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	name := databaseName(t.Name())
	if err := s.do(t.Context(), "CREATE DATABASE "+name+" STRATEGY file_copy"); err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() { s.drop(t, name) })
	return s.database(name)
}

// Tx gives the test a transaction that is rolled back at its end: quicker than New, for what needs
// one connection only.
func Tx(t testing.TB) pgx.Tx {
	t.Helper()
	m, err := theMigrated()
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	conn, err := m.borrow(t.Context())
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			t.Logf("testdb: rollback: %v", err)
		}
		if err := m.give(ctx, conn); err != nil {
			t.Logf("testdb: %v", err)
		}
	})
	return tx
}

// drop removes a test's database, or where it is to be kept says how to get at it.
func (s *server) drop(t testing.TB, name string) {
	if t.Failed() && s.keep {
		t.Logf("testdb: kept %s", s.database(name))
		if s.dir != "" {
			t.Logf("testdb: start its server with %s", strings.Join(s.command(), " "))
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := s.do(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
		t.Errorf("testdb: %v", err)
	}
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// databaseName makes a name that is free, needs no quotes and tells whose the database is.
func databaseName(test string) string {
	words := strings.Trim(unfit.ReplaceAllString(strings.ToLower(test), "_"), "_")
	if len(words) > 40 { // names are cut at 63
		words = words[:40]
	}
	return fmt.Sprintf("t_%s_%s", words, strings.ToLower(rand.Text()[:8]))
}
