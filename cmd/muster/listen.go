package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// socketMode lets the mail server in front, which seldom runs as the same user, deliver by a unix
// socket in a directory that it may enter: the directory is the gate.
const socketMode = 0o666

// listen opens what a setting names: host:port or unix:PATH.
func listen(key, address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if ok {
		return listenUnix(key, path)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(key, address, err)
	}
	return l, nil
}

func listenUnix(key, path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, listenError(key, path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, listenError(key, path, err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(listenError(key, path, err), l.Close())
	}
	return l, nil
}

// removeStale takes away the socket of a process that is gone. One that answers is left, and so is
// a file that is no socket.
func removeStale(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there and no socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		return errors.Join(syscall.EADDRINUSE, conn.Close())
	}
	return os.Remove(path)
}

// listenError says what to do about an address that cannot be listened on.
func listenError(key, address string, err error) error {
	flag := strings.ReplaceAll(key, "_", "-")
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %s is in use by another program: stop that one, or choose another address with --%s", key, address, flag)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s %s: permission denied: ports below 1024 want root or CAP_NET_BIND_SERVICE; choose another address with --%s", key, address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s %s is no address of this machine: choose another with --%s", key, address, flag)
	}
	return fmt.Errorf("%s: %w", key, err)
}
