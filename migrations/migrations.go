package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sql/*.sql
var files embed.FS

// ErrNewer says that a database was written by a later version of Muster.
var ErrNewer = errors.New("the database was made by a newer Muster")

// Up brings the database to the schema of this binary. Callers may race: one applies the steps,
// the others wait for it and find nothing left to do.
func Up(ctx context.Context, pool *pgxpool.Pool) error {
	return withProvider(pool, func(p *goose.Provider) error {
		have, want, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("schema version: %w", err)
		}
		if have > want {
			return fmt.Errorf("%w: its schema is %d, this one knows %d", ErrNewer, have, want)
		}
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("schema %d to %d: %w", have, want, err)
		}
		return nil
	})
}

// Versions tells the number of the last step applied to the database, 0 for none, and of the last
// one this binary has.
func Versions(ctx context.Context, pool *pgxpool.Pool) (have, want int64, err error) {
	err = withProvider(pool, func(p *goose.Provider) error {
		have, want, err = p.GetVersions(ctx)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	return have, want, nil
}

// Hash names the schema: it changes with the name and content of every step.
func Hash() string {
	sum := sha256.New()
	// Reading what is embedded cannot fail, and ReadDir sorts by name.
	entries, _ := fs.ReadDir(files, "sql")
	for _, e := range entries {
		text, _ := fs.ReadFile(files, "sql/"+e.Name())
		fmt.Fprintf(sum, "%s %d\n", e.Name(), len(text))
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

func withProvider(pool *pgxpool.Pool, do func(*goose.Provider) error) error {
	steps, err := fs.Sub(files, "sql")
	if err != nil {
		return err
	}
	// The lock is PostgreSQL's own and ends with the session, so a node killed in the middle of a
	// step blocks nobody. Asked once a second, for as long as the longest step may take.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 3600))
	if err != nil {
		return err
	}
	db := openDB(pool)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, steps,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("embedded steps: %w", err)
	}
	return do(p)
}

// openDB shows the pool as database/sql, which goose speaks. Closing it leaves the pool open.
func openDB(pool *pgxpool.Pool) *sql.DB {
	return stdlib.OpenDBFromPool(pool)
}
