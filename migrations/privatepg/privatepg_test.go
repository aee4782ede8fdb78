package privatepg_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"muster/migrations/privatepg"
)

// TestMain makes the test binary a second Muster when a test asks for one: it starts the server of
// the data directory, says so, and waits to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("PRIVATEPG_SECOND")
	if dir == "" {
		status := m.Run()
		os.RemoveAll(seedDir)
		os.Exit(status)
	}
	s, err := privatepg.Start(context.Background(), dir, privatepg.Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("url", s.URL)
	select {}
}

// second is that other Muster, as the user with the id, or as this one for 0.
func second(t *testing.T, dir string, uid uint32) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PRIVATEPG_SECOND="+dir)
	if uid != 0 {
		cmd.Path = reachableCopy(t, os.Args[0])
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "url ") {
		t.Fatalf("the second Muster said %q", lines.Text())
	}
	return cmd
}

func reachableCopy(t *testing.T, path string) string {
	t.Helper()
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dataDir(t), "muster")
	if err := os.WriteFile(to, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// dataDir is a directory everybody may enter, which t.TempDir is not. Whatever server is left in
// it by a test that failed is stopped.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "muster-privatepg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pid := postmaster(dir); pid != 0 {
			t.Errorf("server %d was left in %s", pid, dir)
			syscall.Kill(pid, syscall.SIGQUIT)
			time.Sleep(time.Second)
		}
		os.RemoveAll(dir)
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// seed makes a cluster once; making one for each test would take most of the time.
var (
	seedDir string
	seed    = sync.OnceValue(func() error {
		var err error
		if seedDir, err = os.MkdirTemp("/tmp", "muster-privatepg-seed-"); err != nil {
			return err
		}
		s, err := privatepg.Start(context.Background(), seedDir, privatepg.Options{})
		if err != nil {
			return err
		}
		return s.Stop(context.Background())
	})
)

// seeded is a data directory with a cluster in it that is not running.
func seeded(t *testing.T) string {
	t.Helper()
	if err := seed(); err != nil {
		t.Fatal(err)
	}
	dir := dataDir(t)
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(seedDir, "postgres"), dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	return dir
}

// postmaster is the process of the data directory's server, 0 if none runs.
func postmaster(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "postgres/data/postmaster.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

func start(t *testing.T, dir string) *privatepg.Server {
	t.Helper()
	s, err := privatepg.Start(t.Context(), dir, privatepg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *privatepg.Server) {
	t.Helper()
	if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// ask runs a query that gives one text.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var answer string
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

func do(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func running(t *testing.T, dir string) bool {
	t.Helper()
	_, ok, err := privatepg.Find(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestStartStop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dataDir(t), "muster")
	s := start(t, dir)
	for _, tt := range []struct{ sql, want string }{
		{"SELECT current_user || ' ' || current_database()", "muster muster"},
		{"SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user", "false"},
		{"SHOW fsync", "on"},
		{"SHOW synchronous_commit", "on"},
		{"SHOW full_page_writes", "on"},
		{"SHOW listen_addresses", ""},
		{"SHOW server_encoding", "UTF8"},
		{"SELECT lower('É')", "é"},
	} {
		if got := ask(t, s.URL, tt.sql); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sql, got, tt.want)
		}
	}
	if url, ok, err := privatepg.Find(t.Context(), dir); url != s.URL || !ok || err != nil {
		t.Errorf("found %q, %v, error %v", url, ok, err)
	}
	do(t, s.URL, "CREATE TABLE kept AS SELECT 'still here' AS text")
	stop(t, s)
	stop(t, s)
	if running(t, dir) || postmaster(dir) != 0 {
		t.Fatal("it runs after Stop")
	}
	s = start(t, dir)
	if got := ask(t, s.URL, "SELECT text FROM kept"); got != "still here" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	if url, ok, err := privatepg.Find(t.Context(), filepath.Join(t.TempDir(), "none")); url != "" || ok || err != nil {
		t.Errorf("found %q, %v, error %v", url, ok, err)
	}
}

func TestTwoServe(t *testing.T) {
	t.Parallel()
	dir := seeded(t)
	start(t, dir)
	_, err := privatepg.Start(t.Context(), dir, privatepg.Options{})
	if !errors.Is(err, privatepg.ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("error %v, want one that names process %d", err, os.Getpid())
	}
}

func TestAdoptAfterKill(t *testing.T) {
	t.Parallel()
	dir := seeded(t)
	first := second(t, dir, 0)
	do(t, find(t, dir), "CREATE TABLE kept AS SELECT 'still here' AS text")
	before := postmaster(dir)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	if postmaster(dir) != before {
		t.Fatal("the server died with its Muster")
	}
	s := start(t, dir)
	if after := postmaster(dir); after != before {
		t.Errorf("server %d was not adopted, %d runs", before, after)
	}
	if got := ask(t, s.URL, "SELECT text FROM kept"); got != "still here" {
		t.Errorf("read %q", got)
	}
	stop(t, s)
	if running(t, dir) || postmaster(dir) != 0 {
		t.Error("an adopted server runs after Stop")
	}
}

func find(t *testing.T, dir string) string {
	t.Helper()
	url, ok, err := privatepg.Find(t.Context(), dir)
	if err != nil || !ok {
		t.Fatalf("no server is found in %s, error %v", dir, err)
	}
	return url
}

func TestLastOneStops(t *testing.T) {
	t.Parallel()
	dir := seeded(t)
	join := func() *privatepg.Server {
		t.Helper()
		s, err := privatepg.Join(t.Context(), dir, privatepg.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, s) })
		return s
	}
	one := join() // a command that finds nothing running
	two := join()
	serve := start(t, dir)
	stop(t, one)
	stop(t, serve) // the second command is still at work
	if !running(t, dir) {
		t.Fatal("the server was stopped under a command that uses it")
	}
	stop(t, two)
	if running(t, dir) {
		t.Fatal("nobody stopped the server")
	}
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dataDir(t), strings.Repeat("long/", 8), strings.Repeat("x", 100))
	s := start(t, dir)
	config, err := pgx.ParseConfig(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	socket := config.Host
	if !strings.HasPrefix(socket, "/tmp/") || len(socket) > 60 {
		t.Errorf("the socket is in %s", socket)
	}
	if !running(t, dir) {
		t.Error("it is not found")
	}
	stop(t, s)
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("%s was left: %v", socket, err)
	}
}

// TestForeignPid is the restart of a machine or container after a crash: the process id in the
// file that the crash left belongs to somebody else now.
func TestForeignPid(t *testing.T) {
	t.Parallel()
	dir := seeded(t)
	s := start(t, dir)
	account, err := privatepg.ServerAccount()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), "sleep", "600")
	other.SysProcAttr = account.Process()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Process.Kill(); other.Wait() })
	pidfile := filepath.Join(dir, "postgres/data/postmaster.pid")
	text, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(pidfile, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := account.Own(pidfile); err != nil {
		t.Fatal(err)
	}
	if running(t, dir) {
		t.Error("a process that is no PostgreSQL passes for one")
	}
	start(t, dir)
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := seeded(t)
	s := start(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); s.Watch(ctx) }()
	defer func() { cancel(); <-watched }()
	before := postmaster(dir)
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := pgx.Connect(t.Context(), s.URL); err == nil {
			conn.Close(t.Context())
			if postmaster(dir) != before {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("it was not started again")
		}
	}
}

// TestBelowClosedDirectory: root's home is closed to the user PostgreSQL runs as.
func TestBelowClosedDirectory(t *testing.T) {
	t.Parallel()
	closed := dataDir(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "muster")
	s := start(t, dir)
	do(t, s.URL, "CREATE TABLE kept AS SELECT 'still here' AS text")
	stop(t, s)
	s = start(t, dir)
	if got := ask(t, s.URL, "SELECT text FROM kept"); got != "still here" {
		t.Errorf("read %q", got)
	}
}

// TestRootTakesOver: what an ordinary user's Muster left running, root finds, adopts and stops,
// and then starts as that user.
func TestRootTakesOver(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can take over what belongs to another user")
	}
	const nobody = 65534
	dir := dataDir(t)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	theirs := second(t, dir, nobody)
	find(t, dir)
	if err := theirs.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	theirs.Wait()
	stop(t, start(t, dir))
	start(t, dir)
	info, err := os.Stat(filepath.Join(dir, "postgres/data/postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != nobody {
		t.Errorf("the server runs as user %d", uid)
	}
}

// TestComingAndGoing: commands that start, use and stop the server at the same time do not get in
// each other's way, and leave nothing behind.
func TestComingAndGoing(t *testing.T) {
	t.Parallel()
	dir := seeded(t)
	var commands errgroup.Group
	for range 4 {
		commands.Go(func() error {
			for range 3 {
				if err := command(t.Context(), dir); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := commands.Wait(); err != nil {
		t.Error(err)
	}
	if running(t, dir) {
		t.Error("the server is still running")
	}
}

// command is what a command does with the server.
func command(ctx context.Context, dir string) error {
	s, err := privatepg.Join(ctx, dir, privatepg.Options{})
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return errors.Join(err, s.Stop(ctx))
	}
	err = conn.Ping(ctx)
	return errors.Join(err, conn.Close(ctx), s.Stop(ctx))
}

// TestStartGivenUp: a start that is given up half-way leaves no server, and the next one succeeds.
func TestStartGivenUp(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	for _, patience := range []time.Duration{time.Millisecond, 300 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		s, err := privatepg.Start(ctx, dir, privatepg.Options{})
		cancel()
		if err == nil {
			stop(t, s)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Logf("after %v: %v", patience, err) // how initdb says that it was ended
		}
		if pid := postmaster(dir); pid != 0 {
			t.Fatalf("after %v server %d was left", patience, pid)
		}
	}
	start(t, dir)
}
