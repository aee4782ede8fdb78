package privatepg

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Initdb makes a cluster in dir, which does not exist yet or is empty, with superuser as the name
// of its first role. Text is UTF-8, sorted by code point and classified as Unicode.
func (b Binaries) Initdb(ctx context.Context, a Account, dir, superuser string, args ...string) error {
	ctype := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		ctype = "UTF-8"
	}
	all := append([]string{"-D", dir, "-U", superuser, "--encoding=UTF8", "--locale=C", "--lc-ctype=" + ctype, "--no-instructions"}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(b.Dir, "initdb"), all...)
	cmd.SysProcAttr = a.Process()
	cmd.Dir = "/"
	cmd.Env = Environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb %s as %s: %w: %s", dir, a.Name, err, bytes.TrimSpace(out))
	}
	return nil
}

// Environment is what PostgreSQL's programs are run with: nothing of the caller's, whose PG…
// variables mean another database, and messages in English, because Start reads them.
func Environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}
