package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentityStaysAndIsHeldOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, err := takeIdentity(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeIdentity(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("a second holder: error = %v", err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	again, err := takeIdentity(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.release()
	if first.name == "" || again.name != first.name {
		t.Errorf("identity was %q and is %q", first.name, again.name)
	}
}

func TestDataDirThatIsAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := takeIdentity(t.Context(), path); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("error = %v, want one that says what to do", err)
	}
}
