package main

import (
	"os"
	"strings"
	"testing"
)

// What the command prints is what the document shows.
func TestPrintsWhatTheDocumentShows(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run([]string{"-from", "../scaling.json"}, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), out.String()) {
		t.Errorf("not in docs/scaling.md:\n%s", out.String())
	}
	if err := run([]string{"-from", "nowhere.json"}, &out); err == nil {
		t.Error("printed what was not measured")
	}
}
