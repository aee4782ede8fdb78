package privatepg

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadPidfile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       postmaster
		fails      bool
	}{
		{"whole", "4711\n/var/data\n1795463798\n5432\n/var/run\n\n 10159001 39\nready   \n", postmaster{4711, "/var/run"}, false},
		{"being written", "4711\n/var/data\n1795463798\n5432\n", postmaster{4711, ""}, false},
		{"empty", "", postmaster{}, false},
		{"not a number", "x\n", postmaster{}, true},
		{"not a server's number", "1\n", postmaster{}, true},
		{"not a process but a group", "-5\n", postmaster{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "postmaster.pid")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readPidfile(path)
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("%+v, error %v", got, err)
			}
		})
	}
	if got, err := readPidfile(filepath.Join(t.TempDir(), "none")); got != (postmaster{}) || err != nil {
		t.Errorf("no file: %+v, error %v", got, err)
	}
}

func TestAlive(t *testing.T) {
	t.Parallel()
	if (postmaster{}).alive() {
		t.Error("no process is alive")
	}
	if (postmaster{pid: os.Getpid()}).alive() {
		t.Error("this test passes for a PostgreSQL")
	}
	if !(postmaster{pid: os.Getpid()}).occupied() {
		t.Error("this test does not run")
	}
}
