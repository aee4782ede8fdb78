package testdb

import (
	"context"
	"fmt"
	"runtime"
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

	idle chan *pgx.Conn // to the second, between two tests
}

var theMigrated = sync.OnceValues(func() (migrated, error) {
	s, err := theServer()
	if err != nil {
		return migrated{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	m := migrated{server: s, template: "muster_template_" + migrations.Hash(), rollback: "muster_rollback_" + migrations.Hash(),
		idle: make(chan *pgx.Conn, runtime.GOMAXPROCS(0))}
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
	if err := m.visit(ctx); err != nil {
		return err
	}
	// The template comes second, so that having both means that the migration went through.
	return m.do(ctx, m.clone(m.template, m.rollback))
}

// visit connects once, upon which PostgreSQL writes a file with what each later connection would
// have to read from the catalogues.
func (m migrated) visit(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, m.database(m.rollback))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// clone makes a database like another one. With fsync off file_copy is the quicker strategy: its
// checkpoints cost little, it sends nothing through the WAL, and it copies the file of visit, so
// that the first connection costs no more than the second. (Clone, connect and drop took 270 ms of
// CPU this way on a RAM disk, 360 with wal_log, and 570 with that on a disk.)
func (m migrated) clone(name, from string) string {
	return fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", name, from)
}

func migrate(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool)
}

// borrow takes a connection to the database of the transactions, give returns it.
func (m migrated) borrow(ctx context.Context) (*pgx.Conn, error) {
	select {
	case conn := <-m.idle:
		return conn, nil
	default:
		return pgx.Connect(ctx, m.database(m.rollback))
	}
}

// give closes a connection that a test has left broken, and what is too many.
func (m migrated) give(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "DISCARD ALL") // settings, prepared statements, LISTENs
	if err == nil {
		err = conn.DeallocateAll(ctx)
	}
	if err == nil {
		select {
		case m.idle <- conn:
			return nil
		default:
		}
	}
	return conn.Close(ctx)
}
