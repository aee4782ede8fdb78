package testdb_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/migrations/testdb"
)

func TestNewIsEmptyAndApart(t *testing.T) {
	t.Parallel()
	one, two := testdb.New(t), testdb.New(t)
	if _, err := one.Exec(t.Context(), "INSERT INTO domain (name) VALUES ('lists.example')"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := two.QueryRow(t.Context(), "SELECT count(*) FROM domain").Scan(&n); err != nil || n != 0 {
		t.Fatalf("%d domains in another test's database, error %v", n, err)
	}
	if most := one.Config().MaxConns; most > 4 {
		t.Errorf("%d connections", most)
	}
}

func TestTxIsRolledBack(t *testing.T) {
	for range 2 {
		t.Run("round", func(t *testing.T) {
			tx := testdb.Tx(t)
			if _, err := tx.Exec(t.Context(), "INSERT INTO domain (name) VALUES ('lists.example')"); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM domain").Scan(&n); err != nil || n != 1 {
				t.Fatalf("%d domains, error %v", n, err)
			}
		})
	}
}

// TestNothingIsLeft runs this test binary as a child that gets itself a database, kills it with
// SIGKILL, and expects that its server and its directory are gone soon after.
func TestNothingIsLeft(t *testing.T) {
	if os.Getenv("TEST_DATABASE_URL") != "" {
		t.Skip("there is no private server with TEST_DATABASE_URL")
	}
	if os.Getenv("TESTDB_VICTIM") != "" {
		var dir string
		if err := testdb.New(t).QueryRow(t.Context(), "SHOW unix_socket_directories").Scan(&dir); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("socket " + dir + "\n")
		select {}
	}
	t.Parallel()
	dir, cmd := victim(t)
	pid := postmaster(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(dir)
		if os.IsNotExist(err) && syscall.Kill(pid, 0) == syscall.ESRCH {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("server %d or its directory %s are still there", pid, dir)
		}
	}
}

// victim starts the child and returns the directory of its server.
func victim(t *testing.T) (string, *exec.Cmd) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLeft$")
	cmd.Env = append(os.Environ(), "TESTDB_VICTIM=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4096)
	n, err := out.Read(said)
	dir, ok := strings.CutPrefix(strings.TrimSpace(string(said[:n])), "socket ")
	if err != nil || !ok {
		t.Fatalf("the child said %q, error %v", said[:n], err)
	}
	return dir, cmd
}

// postmaster reads the process id of the server in dir.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(dir + "/data/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
