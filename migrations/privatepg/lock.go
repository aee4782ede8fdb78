package privatepg

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lock is a lock on a file, which the kernel drops when its process ends, however it ends.
type lock struct {
	file *os.File
}

type lockMode int

const (
	shared    lockMode = syscall.LOCK_SH
	exclusive lockMode = syscall.LOCK_EX
)

func openLock(path string) (*lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &lock{file}, nil
}

// try takes the lock, or changes its mode, without waiting. Where it answers false, a lock held
// before may be gone: changing the mode is not atomic.
func (l *lock) try(mode lockMode) (bool, error) {
	for {
		err := syscall.Flock(int(l.file.Fd()), int(mode)|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
	}
}

// sign writes into the file who holds it, for the one who finds it held.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder reads what sign wrote.
func (l *lock) holder() string {
	text := make([]byte, 32)
	n, _ := l.file.ReadAt(text, 0)
	if pid := strings.TrimSpace(string(text[:n])); pid != "" {
		return "process " + pid
	}
	return "a process that is just starting"
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
