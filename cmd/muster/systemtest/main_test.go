// Package systemtest runs the real muster binary as its users do, on a real PostgreSQL, with real
// mail and real peers: the thread corpora to a list of fifty, kill -9 in the middle, a Postfix in
// front and one behind. It has tests only.
//
// MUSTER_LONG=1, which make test-long sets, runs the long rounds. MUSTER_SEED repeats a random one.
package systemtest

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// binary is the muster under test, built once for the package; program tells it to tests.
var (
	binary string
	looked sync.Once
)

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "muster-systemtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "muster")
	args := []string{"build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "muster/cmd/muster")...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	// What runs in parallel here waits for timeouts of others most of its time, whatever the number
	// of processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// program is the muster under test. The go command knows of the files that a test looks at, and keeps its
// result for as long as they stay as they were; of what a build beside it read it knows nothing. So
// the first test that asks looks at each file that the binary was made from.
func program(t testing.TB) string {
	t.Helper()
	looked.Do(func() {
		dirs, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", "muster/cmd/muster").Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		root := filepath.Join("..", "..", "..")
		names := strings.Split(strings.TrimSpace(string(dirs)), "\n")
		for _, name := range append(names, filepath.Join(root, "go.mod"), filepath.Join(root, "go.sum")) {
			if err := filepath.WalkDir(name, func(name string, _ fs.DirEntry, err error) error {
				if err == nil {
					_, err = os.Stat(name)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
	return binary
}

// long says whether this is a round of make test-long.
func long() bool { return os.Getenv("MUSTER_LONG") != "" }

// shared is a path below ../shared, where the corpora are. Without it a test skips, but not in CI.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..", "..", "..", "shared")
	p := filepath.Join(append([]string{root}, path...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs the corpora: %v", err)
		}
		t.Skipf("the corpora are not here: %v", err)
	}
	return p
}
