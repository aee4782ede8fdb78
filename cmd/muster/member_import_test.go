package main

import (
	"bytes"
	"testing"

	"muster/lists"
)

func TestProgressRewritesItsLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := progress{&out}
	p.show(lists.ImportReport{Added: 20000, Already: 3, Refused: 1})
	p.clear()
	if got, want := out.String(), "\r\x1b[Kadded 20000, already there 3, refused 1\r\x1b[K"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

// What is no terminal, a log or a buffer, is not written to.
func TestNoProgressWithoutATerminal(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	p := (&app{stderr: &errs}).progress()
	p.show(lists.ImportReport{Added: 1})
	p.clear()
	if errs.Len() != 0 {
		t.Errorf("wrote %q", &errs)
	}
}
