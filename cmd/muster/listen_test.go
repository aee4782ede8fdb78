package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	first, err := listen("smtp_listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = listen("smtp_listen", first.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), "--smtp-listen") {
		t.Errorf("error = %v, want one that says what to do", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lmtp")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as a process that was killed leaves it
	dead.Close()
	live, err := listen("lmtp_listen", "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := listen("lmtp_listen", "unix:"+path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket that answers was taken: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("socket: %v, %v", info, err)
	}
}

func TestFileIsNoSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen("lmtp_listen", "unix:"+path); err == nil {
		t.Error("a file was taken for a stale socket")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "keep" {
		t.Errorf("the file is %q, %v", text, err)
	}
}
