package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/bench/capacity"
)

// effort is what nodes and the database have done so far.
type effort struct {
	at                        time.Time
	muster, postgres          time.Duration // of processors
	busy, idle                int64         // of the machine, in ticks
	wal, pages, calls, octets int64
}

// cost is the effort since an earlier one, for each of n things.
func (e effort) cost(since effort, n float64) capacity.Cost {
	return capacity.Cost{
		Muster:     float64((e.muster - since.muster).Microseconds()) / n,
		PostgreSQL: float64((e.postgres - since.postgres).Microseconds()) / n,
		WAL:        float64(e.wal-since.wal) / n,
		Pages:      float64(e.pages-since.pages) / n,
		Statements: float64(e.calls-since.calls) / n,
		Disk:       float64(e.octets-since.octets) / n,
	}
}

// idleShare is how much of the machine nobody used.
func (e effort) idleShare(since effort) float64 {
	busy, idle := float64(e.busy-since.busy), float64(e.idle-since.idle)
	return idle / (busy + idle)
}

// effort looks at the nodes that run and at the database.
func (s *scaling) effort(ctx context.Context) (e effort, err error) {
	for _, m := range s.nodes {
		used, err := processorTime(m.pid())
		if err != nil {
			return e, err
		}
		e.muster += used
	}
	if e.postgres, err = familyTime("/proc", s.postmaster); err != nil {
		return e, err
	}
	if e.busy, e.idle, err = machineTime("/proc/stat"); err != nil {
		return e, err
	}
	d, err := s.store.done(ctx)
	e.at, e.wal, e.pages, e.calls, e.octets = time.Now(), d.WAL, d.Pages, d.Calls, d.Octets
	return e, err
}

// familyTime is the processor time of a process, of its children, and of those that have ended.
func familyTime(proc string, parent int) (time.Duration, error) {
	all, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat"))
	if err != nil {
		return 0, err
	}
	var ticks int64
	found := false
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		f := statFields(string(text))
		if len(f) < 15 {
			return 0, fmt.Errorf("%s: %q", path, text)
		}
		last := 12 // utime and stime are fields 14 and 15 of proc_pid_stat(5); f begins with the third
		switch {
		case filepath.Base(filepath.Dir(path)) == strconv.Itoa(parent):
			found, last = true, 14 // and of children that were waited for
		case f[1] != strconv.Itoa(parent):
			continue
		}
		for _, field := range f[11 : last+1] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", path, err)
			}
			ticks += n
		}
	}
	if !found {
		return 0, fmt.Errorf("process %d is not there", parent)
	}
	return time.Duration(ticks) * clockTick, nil
}

// statFields are those after the name, which may hold spaces.
func statFields(stat string) []string {
	return strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
}

// parentOf is the process that started another.
func parentOf(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := statFields(string(text))
	if len(f) < 2 {
		return 0, fmt.Errorf("process %d: %q", pid, text)
	}
	return strconv.Atoi(f[1])
}

// machineTime reads what all processors together have done, from the first line of /proc/stat.
func machineTime(path string) (busy, idle int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("%s: %q", path, line)
	}
	for i, field := range f[1:9] { // what guests use is in the first already
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", path, err)
		}
		if i == 3 || i == 4 { // idle, and waiting for a disk
			idle += n
		} else {
			busy += n
		}
	}
	return busy, idle, nil
}

// countStatements has PostgreSQL count Muster's statements, for which it must start anew, and lets
// the store look as the superuser from then on: what it asks is not counted.
func (s *scaling) countStatements(ctx context.Context) error {
	super, err := superuser(ctx, s.store)
	if err != nil {
		return err
	}
	_, err = super.Exec(ctx, `ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`)
	super.Close()
	if err != nil {
		return err
	}
	s.store.close()
	if s.store, err = openStore(ctx, filepath.Join(s.work, "data")); err != nil {
		return err
	}
	if super, err = superuser(ctx, s.store); err != nil {
		return err
	}
	s.store.pool.Close()
	s.store.pool = super
	if _, err := super.Exec(ctx, `CREATE EXTENSION pg_stat_statements`); err != nil {
		return fmt.Errorf("counting statements, for which PostgreSQL's contrib is needed: %w", err)
	}
	var backend int
	if err := super.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return err
	}
	s.postmaster, err = parentOf(backend)
	return err
}

func superuser(ctx context.Context, s *store) (*pgxpool.Pool, error) {
	u, err := url.Parse(s.server.URL)
	if err != nil {
		return nil, errors.New("the URL of the private database") // it is no secret, but long
	}
	u.User = url.User("postgres")
	return pgxpool.New(ctx, u.String())
}

const databaseDone = `
SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS wal,
       (SELECT wal_fpi FROM pg_stat_wal) AS pages,
       (SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE userid = 'muster'::regrole) AS calls,
       (SELECT sum(pg_total_relation_size(t))::bigint
        FROM unnest('{post,post_raw,seen,decision,fanout,fanout_share,shard,shard_members,delivery,journal}'::regclass[]) t) AS octets`

// done is what the database has done so far for Muster, and how large is what posts leave in it.
type done struct{ WAL, Pages, Calls, Octets int64 }

func (s *store) done(ctx context.Context) (done, error) {
	rows, err := s.pool.Query(ctx, databaseDone)
	if err != nil {
		return done{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[done])
}
