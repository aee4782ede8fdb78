package main

import (
	"bytes"
	"os"
	"testing"
	"time"
)

// The kernel really starts anew.
func TestPeakOfAProcess(t *testing.T) {
	ballast := bytes.Repeat([]byte{1}, 64<<20)
	before, err := peakMB(os.Getpid())
	if err != nil || before < 64 {
		t.Fatalf("%v MB with %d of ballast, %v", before, len(ballast), err)
	}
	if err := resetPeak(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	peak := watchPeak(os.Getpid())
	time.Sleep(20 * time.Millisecond) // for at least one look
	if mb := peak(); mb <= 0 {
		t.Errorf("watched %v MB", mb)
	}
}
