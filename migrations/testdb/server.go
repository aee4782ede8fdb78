package testdb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/migrations/privatepg"
)

// server is the PostgreSQL that the tests of this process share.
type server struct {
	url      *url.URL // of a database that always exists, as a role that may create databases
	dir      string   // of a private one: data, socket and log
	postgres string
	keep     bool // databases of failed tests stay

	mu    sync.Mutex
	admin *pgx.Conn // for do

	// Open for as long as this process lives; the watchdog reads the other end. It is held here
	// because a file nobody holds is closed by its finalizer.
	lifeline *os.File
}

// theServer is the one package variable a test helper cannot do without: what all tests of a
// process share has no other owner.
var theServer = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if at := os.Getenv("TEST_DATABASE_URL"); at != "" {
		u, err := url.Parse(at)
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		return &server{url: u, keep: true}, nil
	}
	return startPrivate(ctx)
})

// watchdog is the parent of a private server. It outlives the test process in every case, SIGKILL
// too, because it waits for the end of a pipe whose writing end only that process holds; then it
// stops the server and removes the directory. It is there before anything is in the directory, and
// starts the server upon a line through the pipe. $1 is the directory, $2 whether to keep it, the
// rest the server's command.
const watchdog = `
dir=$1 keep=$2; shift 2
if read -r _; then
	"$@" </dev/null >"$dir/log" 2>&1 &
	server=$!
	read -r _
	if [ -n "$keep" ]; then
		kill -INT $server; wait $server
		exit
	fi
	kill -QUIT $server; wait $server
fi
for try in 1 2 3 4 5; do # an initdb that lost its parent may still be at work
	rm -rf "$dir" && exit
	sleep 1
done
`

func startPrivate(ctx context.Context) (*server, error) {
	bin, err := privatepg.Locate(ctx, 0)
	if err != nil {
		return nil, err
	}
	account, err := privatepg.ServerAccount()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tempDir(), "muster-test-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, postgres: filepath.Join(bin.Dir, "postgres"), keep: os.Getenv("TESTDB_KEEP") != ""}
	s.url = &url.URL{Scheme: "postgres", User: url.User("muster"), Path: "/postgres",
		RawQuery: url.Values{"host": {dir}, "port": {"5432"}}.Encode()}
	if err := errors.Join(account.Own(dir), s.watch(account)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := bin.Initdb(ctx, account, filepath.Join(dir, "data"), "muster", "--auth=trust", "--no-sync"); err != nil {
		return nil, errors.Join(err, s.lifeline.Close())
	}
	if _, err := s.lifeline.WriteString("start\n"); err != nil {
		return nil, err
	}
	return s, s.wait(ctx)
}

// ramDisk is used where it has so much room that nobody will miss what the tests take: there a
// clone costs half of what it does on a disk.
const (
	ramDisk     = "/dev/shm"
	ramDiskRoom = 4 << 30
)

// tempDir is where the data goes: short enough for the path of a socket, open to the account.
func tempDir() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(ramDisk, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) >= ramDiskRoom {
		return ramDisk
	}
	if dir := os.TempDir(); len(dir) < 60 && os.Geteuid() != 0 {
		return dir
	}
	return "/tmp"
}

// watch starts the watchdog.
func (s *server) watch(account privatepg.Account) error {
	keep := ""
	if s.keep {
		keep = "yes"
	}
	end, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	defer end.Close()
	s.lifeline = lifeline
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchdog, "watchdog", s.dir, keep}, s.command()...)...)
	cmd.Dir = "/"
	cmd.Env = privatepg.Environment()
	cmd.Stdin = end
	cmd.SysProcAttr = account.Process()
	return cmd.Start()
}

// command is how the server is started. What makes it durable is off: its data dies with it.
func (s *server) command() []string {
	command := []string{s.postgres, "-D", filepath.Join(s.dir, "data"), "-k", s.dir}
	for _, setting := range []string{
		"listen_addresses=", "port=5432", "max_connections=200",
		"fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=512MB",
		"shared_buffers=64MB", "dynamic_shared_memory_type=mmap", "jit=off", "timezone=UTC", "log_checkpoints=off",
	} {
		command = append(command, "-c", setting)
	}
	return command
}

// wait returns when the server answers.
func (s *server) wait(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.url.String())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the tests' PostgreSQL did not come up: %w\n%s", err, log)
		}
	}
}

// database is the URL of another database of the server.
func (s *server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

// do runs statements that create or drop databases, which no transaction may hold. They take
// their turn on one connection, because a new one costs as much as they do.
func (s *server) do(ctx context.Context, statements ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admin == nil || s.admin.IsClosed() {
		conn, err := pgx.Connect(ctx, s.url.String())
		if err != nil {
			return fmt.Errorf("the tests' PostgreSQL: %w", err)
		}
		s.admin = conn
	}
	for _, sql := range statements {
		if _, err := s.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}
