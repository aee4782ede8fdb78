package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/cmd/muster/config"
	"muster/migrations"
	"muster/migrations/privatepg"
)

// database is the database this process works on. Close it, last of all.
type database struct {
	*pgxpool.Pool
	private *privatepg.Server // nil where a URL was configured
}

// commandConnections are enough for one command, an import included.
const commandConnections = 4

// joinDatabase opens the database for one command: the configured one, or the private one of the
// data directory, which is started if no Muster serves from it just now.
func joinDatabase(ctx context.Context, c *config.Config) (*database, error) {
	return openDatabase(ctx, c, commandConnections, func() (*privatepg.Server, error) {
		return privatepg.Join(ctx, c.DataDir, privatepg.Options{})
	})
}

// serveDatabase is joinDatabase for the one process that serves from the data directory.
func serveDatabase(ctx context.Context, c *config.Config, log *slog.Logger) (*database, error) {
	if err := awaitDatabase(ctx, c.DatabaseURL, log); err != nil {
		return nil, err
	}
	return openDatabase(ctx, c, c.DatabaseConnections, func() (*privatepg.Server, error) {
		return privatepg.Start(ctx, c.DataDir, privatepg.Options{Log: log})
	})
}

func openDatabase(ctx context.Context, c *config.Config, connections int, private func() (*privatepg.Server, error)) (*database, error) {
	db, url := new(database), c.DatabaseURL
	if url == "" {
		var err error
		if db.private, err = private(); err != nil {
			return nil, dataDirError(c.DataDir, err)
		}
		url = db.private.URL
	}
	if err := db.connect(ctx, url, connections); err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return db, nil
}

func (db *database) connect(ctx context.Context, url string, connections int) error {
	settings, err := pgxpool.ParseConfig(url)
	if err != nil {
		return usageError{fmt.Errorf("database_url: %w", err)} // pgx leaves the password out
	}
	if !strings.Contains(url, "pool_max_conns") {
		settings.MaxConns = int32(connections)
	}
	settings.ConnConfig.RuntimeParams["application_name"] = "muster"
	if db.Pool, err = pgxpool.NewWithConfig(ctx, settings); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := db.Ping(ctx); err != nil {
		return unreachable{err}
	}
	if err := migrations.Up(ctx, db.Pool); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// stopTimeout is how long a private PostgreSQL may take to shut down in good order.
const stopTimeout = time.Minute

// Close closes the connections, and then the private PostgreSQL if nobody else uses it. It does so
// although ctx may have ended.
func (db *database) Close(ctx context.Context) error {
	if db.Pool != nil {
		db.Pool.Close()
	}
	if db.private == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := db.private.Stop(ctx); err != nil {
		return fmt.Errorf("private database: %w", err)
	}
	return nil
}

// dataDirError says what to do about a data directory that cannot be used.
func dataDirError(dir string, err error) error {
	for _, unfit := range []error{fs.ErrPermission, fs.ErrExist, syscall.ENOTDIR, syscall.EROFS} {
		if errors.Is(err, unfit) {
			return fmt.Errorf("data directory %s: %w; give one that can be written to with --data-dir", dir, err)
		}
	}
	return err
}

const (
	databasePatience = 30 * time.Second // for a PostgreSQL that starts at the same time as Muster
	databaseRetry    = 500 * time.Millisecond
)

// awaitDatabase waits a while for a database that does not take connections yet. Other failures are
// left to whoever connects next.
func awaitDatabase(ctx context.Context, url string, log *slog.Logger) error {
	if url == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	for said := false; ; said = true {
		conn, err := pgconn.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		if !stillStarting(err) {
			return nil
		}
		if !said {
			log.Warn("the database does not take connections yet", "err", unreachable{err})
		}
		select {
		case <-ctx.Done():
			return unreachable{err}
		case <-time.After(databaseRetry):
		}
	}
}

// unreachable is a failure to connect, told without the driver's repetitions: it tries each address
// with TLS and without.
type unreachable struct{ err error }

func (e unreachable) Error() string {
	var reasons []string
	for line := range strings.Lines(e.err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(reasons, line) {
			reasons = append(reasons, line)
		}
	}
	return "the database cannot be reached; is it running, and is database_url right? " + strings.Join(reasons, " ")
}

func (e unreachable) Unwrap() error { return e.err }

const sqlCannotConnectNow = "57P03"

func stillStarting(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code == sqlCannotConnectNow
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}
