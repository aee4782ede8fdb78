// Package systemtest runs the real muster binary as its users do, on a real PostgreSQL, with real
// mail and real peers: the thread corpora to a list of fifty, kill -9 in the middle, a Postfix in
// front and one behind. It has tests only.
//
// MUSTER_LONG=1, which make test-long sets, runs the long rounds. MUSTER_SEED repeats a random one.
package systemtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// binary is the muster under test, built once for the package.
var binary string

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
	return m.Run()
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
