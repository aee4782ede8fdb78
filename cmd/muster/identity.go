package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// identity names a data directory over restarts, and shows by a lock that no other process uses it.
// Whoever holds the lock knows that the process which had the identity before is gone, and may take
// over its work at once.
type identity struct {
	name string
	lock *os.File
}

// takeIdentity locks the data directory, which is made where there is none.
func takeIdentity(ctx context.Context, dataDir string) (*identity, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, dataDirError(dataDir, err)
	}
	path := filepath.Join(dataDir, "node")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dataDirError(dataDir, err)
	}
	id := &identity{lock: f}
	if err := id.take(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory %s: %w", dataDir, err), f.Close())
	}
	return id, nil
}

func (id *identity) take(ctx context.Context) error {
	err := id.tryLock(ctx)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.New("another muster serves from it; stop that one, or give this one its own with --data-dir")
	}
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	text, err := os.ReadFile(id.lock.Name())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if id.name = strings.TrimSpace(string(text)); id.name != "" {
		return nil
	}
	id.name = rand.Text()
	if _, err := id.lock.WriteString(id.name + "\n"); err != nil {
		return err
	}
	return id.lock.Sync()
}

const (
	lockPatience = time.Second // for a process that was just killed to be gone
	lockRetry    = 20 * time.Millisecond
)

func (id *identity) tryLock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		err := syscall.Flock(int(id.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lockRetry):
		}
	}
}

// release gives the data directory up.
func (id *identity) release() error { return id.lock.Close() }
