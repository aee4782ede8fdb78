package privatepg

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestElsewhere: somebody holds the lock, and no server of theirs is to be seen: a container that
// shares the directory. Starting a second server there would destroy the data.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	theirs, err := openLock(filepath.Join(dir, "postgres.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := theirs.try(shared); !ok || err != nil {
		t.Fatalf("locked: %v, error %v", ok, err)
	}
	c, err := openCluster(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.patience = 200 * time.Millisecond
	if _, err := c.join(t.Context()); !errors.Is(err, ErrElsewhere) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(c.root); !os.IsNotExist(err) {
		t.Errorf("a cluster was made all the same: %v", err)
	}
	if err := theirs.release(); err != nil {
		t.Fatal(err)
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *lock {
		l, err := openLock(path)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	try := func(l *lock, mode lockMode, want bool) {
		t.Helper()
		if got, err := l.try(mode); got != want || err != nil {
			t.Errorf("got the lock: %v, want %v, error %v", got, want, err)
		}
	}
	one, two := open(), open()
	try(one, shared, true)
	try(two, shared, true)
	try(two, exclusive, false)
	if err := one.release(); err != nil {
		t.Fatal(err)
	}
	try(two, exclusive, true)
	three := open()
	try(three, shared, false)
	if err := errors.Join(two.sign(), two.release(), three.release()); err != nil {
		t.Fatal(err)
	}
}
