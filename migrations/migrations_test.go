package migrations_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"muster/migrations"
	"muster/migrations/testdb"
)

func pool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), testdb.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestUpRaced(t *testing.T) {
	t.Parallel()
	p := pool(t)
	if have, want, err := migrations.Versions(t.Context(), p); err != nil || have != 0 || want < 2 {
		t.Fatalf("before: %d of %d, error %v", have, want, err)
	}
	var nodes errgroup.Group
	for range 4 {
		nodes.Go(func() error { return migrations.Up(t.Context(), p) })
	}
	if err := nodes.Wait(); err != nil {
		t.Fatal(err)
	}
	if have, want, err := migrations.Versions(t.Context(), p); err != nil || have != want {
		t.Fatalf("after: %d of %d, error %v", have, want, err)
	}
}

func TestUpRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	p := pool(t)
	if err := migrations.Up(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)"); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), p); !errors.Is(err, migrations.ErrNewer) {
		t.Fatalf("error %v", err)
	}
}

func TestUpOnOneConnection(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(testdb.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := migrations.Up(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}
