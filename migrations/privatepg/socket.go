package privatepg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// longestSocket is what the kernel takes for the path of a socket.
func longestSocket() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// socketDir is where the socket goes: with the cluster, or where that path would be too long into
// a new directory of its own with a short name.
func (c *cluster) socketDir(a Account) (string, error) {
	if len(filepath.Join(c.root, ".s.PGSQL.5432")) <= longestSocket() {
		return c.root, nil
	}
	dir, err := os.MkdirTemp("/tmp", shortPrefix)
	if err != nil {
		return "", err
	}
	return dir, a.Own(dir)
}

const shortPrefix = "muster-socket-"

// sweep removes what a server that is gone left behind and would keep the next from starting: a
// pid file whose number another process has by now, and a short directory of its socket.
func (c *cluster) sweep(keep string) error {
	p, err := readPidfile(c.pidfile())
	if err != nil || p.pid == 0 {
		return err
	}
	if p.occupied() {
		if err := os.Remove(c.pidfile()); err != nil {
			return err
		}
		if p.socket != "" {
			if err := removeIfThere(filepath.Join(c.realSocket(p), ".s.PGSQL.5432.lock")); err != nil {
				return err
			}
		}
	}
	if p.socket == keep {
		return nil
	}
	return removeShort(p.socket)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeShort removes a directory that socketDir made, and no other.
func removeShort(dir string) error {
	if filepath.Dir(dir) != "/tmp" || !strings.HasPrefix(filepath.Base(dir), shortPrefix) {
		return nil
	}
	return os.RemoveAll(dir)
}

// realSocket is the directory of a server's socket as others know it.
func (c *cluster) realSocket(p postmaster) string {
	if p.socket == throughDescriptor {
		return c.root
	}
	return p.socket
}
