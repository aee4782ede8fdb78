package privatepg

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Initdb makes a cluster in dir, which does not exist yet or is empty, with superuser as the name
// of its first role. Text is UTF-8, sorted by code point and classified as Unicode.
func (b Binaries) Initdb(ctx context.Context, a Account, dir, superuser string, args ...string) error {
	return b.initdb(ctx, a, door{path: filepath.Dir(dir)}, filepath.Base(dir), superuser, args...)
}

func (b Binaries) initdb(ctx context.Context, a Account, in door, name, superuser string, args ...string) error {
	ctype := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		ctype = "UTF-8"
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.Dir, "initdb"), append([]string{"-D", filepath.Join(in.path, name),
		"-U", superuser, "--encoding=UTF8", "--locale=C", "--lc-ctype=" + ctype, "--no-instructions"}, args...)...)
	cmd.SysProcAttr = a.Process()
	cmd.ExtraFiles = in.files()
	cmd.Dir = "/"
	cmd.WaitDelay = 5 * time.Second // its own children may hold the output open
	cmd.Env = Environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb %s as %s: %w: %s", filepath.Join(in.path, name), a.Name, err, bytes.TrimSpace(out))
	}
	return nil
}

// Environment is what PostgreSQL's programs are run with: nothing of the caller's, whose PG…
// variables mean another database, and messages in English, because launch reads them.
func Environment() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}
