package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/migrations/privatepg"
)

// store is the database: Muster's private one, as Muster starts it. The yardsticks use it too, in
// a schema of their own.
type store struct {
	server *privatepg.Server
	pool   *pgxpool.Pool
	major  int // of PostgreSQL
}

func openStore(ctx context.Context, dataDir string) (*store, error) {
	binaries, err := privatepg.Locate(ctx, 0)
	if err != nil {
		return nil, err
	}
	server, err := privatepg.Join(ctx, dataDir, privatepg.Options{})
	if err != nil {
		return nil, err
	}
	s := &store{server: server, major: binaries.Major}
	if s.pool, err = pgxpool.New(ctx, server.URL); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) close() {
	if s.pool != nil {
		s.pool.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = s.server.Stop(ctx) // the work directory is emptied before the next run anyway
}

// program finds psql or pgbench: where Debian keeps those of one version, for the ones in its PATH
// are a wrapper that takes longer than what is measured here; else in PATH.
func (s *store) program(name string) string {
	path := fmt.Sprintf("/usr/lib/postgresql/%d/bin/%s", s.major, name)
	if _, err := exec.LookPath(path); err == nil {
		return path
	}
	return name
}

// psql runs one command and returns how long the
// process took. Its output is thrown away.
func (s *store) psql(ctx context.Context, command string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, s.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, s.server.URL)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("psql -c %q: %w", command, err)
	}
	return time.Since(start), nil
}

// settle gives the planner and the visibility map what an autovacuum would have by and by, so that
// no timed run meets one.
func (s *store) settle(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `VACUUM (ANALYZE) member`); err != nil {
		return fmt.Errorf("settling the database: %w", err)
	}
	return nil
}

const bareMember = `
CREATE SCHEMA bench;
CREATE TABLE bench.member (LIKE public.member INCLUDING ALL);
CREATE TABLE bench.accept (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list    bigint NOT NULL,
    bytes   bytea NOT NULL,
    arrived timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE bench.accept ALTER COLUMN bytes SET STORAGE EXTERNAL`

// prepareYardsticks makes the yardsticks' tables: the columns and indexes of member, and one for
// whole messages, uncompressed as Muster keeps them.
func (s *store) prepareYardsticks(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, bareMember, pgx.QueryExecModeSimpleProtocol)
	return err
}

// memberColumns are those that an import fills or that have no default worth having.
const memberColumns = `list, key, address, name, domain, joined, consent, consent_from`

// dumpMembers writes the rows of a list to a file that bareCopy can read.
func (s *store) dumpMembers(ctx context.Context, list int64, file string) error {
	_, err := s.psql(ctx, fmt.Sprintf(`\copy (SELECT `+memberColumns+` FROM member WHERE list = %d) TO '%s'`, list, file))
	return err
}

// bareCopy fills the yardstick's table from a file and returns how long psql took.
func (s *store) bareCopy(ctx context.Context, file string) (time.Duration, error) {
	if _, err := s.pool.Exec(ctx, `TRUNCATE bench.member`); err != nil {
		return 0, err
	}
	return s.psql(ctx, fmt.Sprintf(`\copy bench.member (`+memberColumns+`) FROM '%s'`, file))
}

// copyOut reads the members of a list as EXPN shows them and returns how long psql took.
func (s *store) copyOut(ctx context.Context, list int64) (time.Duration, error) {
	return s.psql(ctx, fmt.Sprintf(
		`COPY (SELECT name, address FROM member WHERE list = %d AND left_at IS NULL AND NOT hidden ORDER BY key) TO STDOUT`, list))
}

const listID = `SELECT l.id FROM list l JOIN domain d ON d.id = l.domain WHERE l.local = $1 AND d.name = 'lists.example' AND l.deleted IS NULL`

func (s *store) listID(ctx context.Context, local string) (id int64, err error) {
	if err = s.pool.QueryRow(ctx, listID, local).Scan(&id); err != nil {
		return 0, fmt.Errorf("list %s: %w", local, err)
	}
	return id, nil
}

// fanoutProgress is that of the youngest fan-out of a list.
const fanoutProgress = `
SELECT f.id,
       f.finished IS NOT NULL OR f.planned IS NOT NULL
           AND NOT EXISTS (SELECT FROM shard s WHERE s.fanout = f.id AND s.state <> 'done') AS done,
       CASE WHEN f.finished IS NOT NULL THEN f.delivered
            ELSE (SELECT coalesce(sum(s.sent), 0) FROM shard s WHERE s.fanout = f.id) END AS sent
FROM fanout f
WHERE f.id = (SELECT max(id) FROM fanout WHERE list = $1 AND post IS NOT NULL)`

type progress struct {
	ID   int64
	Done bool
	Sent int64
}

func (s *store) fanout(ctx context.Context, list int64) (progress, error) {
	rows, err := s.pool.Query(ctx, fanoutProgress, list)
	if err != nil {
		return progress{}, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[progress])
	if err != nil || len(all) == 0 {
		return progress{}, err // none yet
	}
	return all[0], nil
}

// databaseWork is exact at any moment, where pg_stat_database lags by a second, and the bench's own
// looking, which writes nothing, does not count in it.
const databaseWork = `
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS transactions, (pg_current_wal_lsn() - '0/0')::bigint AS wal`

// work is what the database has written so far: transactions, and octets of its log.
type work struct{ Transactions, WAL int64 }

func (s *store) work(ctx context.Context) (work, error) {
	rows, err := s.pool.Query(ctx, databaseWork)
	if err != nil {
		return work{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[work])
}

// countPosts counts the posts of a list that were kept.
func (s *store) countPosts(ctx context.Context, list int64) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM post WHERE list = $1 AND state = 'accepted'`, list).Scan(&n)
	return n, err
}

// insert has pgbench insert a message n times over so many connections, a transaction each, and
// returns how many it did a second.
func (s *store) insert(ctx context.Context, script string, n int) (float64, error) {
	cmd := exec.CommandContext(ctx, s.program("pgbench"), "-n", "-M", "prepared", "-f", script,
		"-c", strconv.Itoa(connections), "-j", "2", "-t", strconv.Itoa(n/connections), s.server.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	return parseTPS(out)
}

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(without initial connection time\)`)

func parseTPS(out []byte) (float64, error) {
	m := tps.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench does not say its tps: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
