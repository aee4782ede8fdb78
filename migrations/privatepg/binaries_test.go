package privatepg

import (
	"errors"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	found := []Binaries{{Dir: "/path/15", Major: 15}, {Dir: "/usr/lib/15", Major: 15}, {Dir: "/usr/lib/17", Major: 17}, {Dir: "/brew/17", Major: 17}}
	for _, tt := range []struct {
		name  string
		found []Binaries
		major int
		want  string
		says  string
	}{
		{"the newest", found, 0, "/usr/lib/17", ""},
		{"the one that made the cluster", found, 15, "/path/15", ""},
		{"not another one than that", found, 16, "", "postgresql-16"},
		{"none", nil, 0, "", "apt-get install postgresql"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := choose(tt.found, tt.major)
			if got.Dir != tt.want {
				t.Errorf("took %q, want %q", got.Dir, tt.want)
			}
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "brew install") {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
		})
	}
}

func TestLocateHere(t *testing.T) {
	t.Parallel()
	bin, err := Locate(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if bin.Major < Oldest {
		t.Errorf("took version %d", bin.Major)
	}
	if _, err := Locate(t.Context(), 9); !errors.Is(err, ErrNoBinaries) {
		t.Errorf("version 9: error %v", err)
	}
}
