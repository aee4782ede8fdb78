package privatepg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// Oldest is the oldest major version of PostgreSQL that Muster runs on.
const Oldest = 15

// ErrNoBinaries says that this machine has no PostgreSQL to run, or none that will do.
var ErrNoBinaries = errors.New("no PostgreSQL to run a private database with")

// Binaries is one installation of PostgreSQL.
type Binaries struct {
	Dir   string // where initdb and postgres are
	Major int
}

// Locate finds PostgreSQL on this machine: in PATH, where Debian keeps the versions apart, and
// where Homebrew does. It takes exactly the wanted major version, because a cluster cannot be
// opened by another one; for 0 the newest there is.
func Locate(ctx context.Context, major int) (Binaries, error) {
	var found []Binaries
	for _, dir := range places() {
		if b, ok := inspect(ctx, dir); ok && b.Major >= Oldest {
			found = append(found, b)
		}
	}
	return choose(found, major)
}

func choose(found []Binaries, major int) (Binaries, error) {
	var best Binaries
	for _, b := range found {
		if major != 0 && b.Major == major {
			return b, nil
		}
		if major == 0 && b.Major > best.Major { // of equals the first: PATH decides
			best = b
		}
	}
	switch {
	case best.Major != 0:
		return best, nil
	case major != 0:
		return Binaries{}, fmt.Errorf("%w: the data directory was made by PostgreSQL %d, which is not installed; %s, or give a database with --database-url",
			ErrNoBinaries, major, installHint(major))
	}
	return Binaries{}, fmt.Errorf("%w: initdb and postgres %d or newer are neither in PATH nor where Debian and Homebrew put them; %s, or give a database with --database-url",
		ErrNoBinaries, Oldest, installHint(0))
}

// installHint names the package; a version is only named where one is needed.
func installHint(major int) string {
	debian, brew := "postgresql", "postgresql@17"
	if major != 0 {
		debian, brew = fmt.Sprintf("postgresql-%d", major), fmt.Sprintf("postgresql@%d", major)
	}
	if runtime.GOOS == "darwin" {
		return fmt.Sprintf("install it with \"brew install %s\"", brew)
	}
	return fmt.Sprintf("install it with \"apt-get install %s\" (Debian, Ubuntu) or \"brew install %s\" (Homebrew)", debian, brew)
}

// places lists the directories that may hold the server's binaries, PATH first.
func places() []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // PGDG on Red Hat
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			panic(err) // a constant pattern is malformed
		}
		slices.Sort(matches)
		dirs = append(dirs, matches...)
	}
	return dirs
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// inspect asks the postgres in dir for its version.
func inspect(ctx context.Context, dir string) (Binaries, bool) {
	if !filepath.IsAbs(dir) || !executable(filepath.Join(dir, "initdb")) || !executable(filepath.Join(dir, "postgres")) {
		return Binaries{}, false
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, false
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return Binaries{}, false
	}
	major, err := strconv.Atoi(string(m[1]))
	return Binaries{Dir: dir, Major: major}, err == nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
