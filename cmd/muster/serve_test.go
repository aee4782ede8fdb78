package main

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/migrations/testdb"
)

// TestServeLeavesNothingBehind runs the whole program in this process: when it returns, all it
// started has ended. It is not parallel: goroutines of other tests would be taken for its own.
func TestServeLeavesNothingBehind(t *testing.T) {
	database := testdb.URL(t)
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, done := new(output), make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", "--data-dir", t.TempDir(), "--hostname", "lists.example", "--database-url", database,
			"--smtp-listen", "127.0.0.1:0", "--lmtp-listen", "unix:" + filepath.Join(t.TempDir(), "lmtp"),
			"--http-listen", "127.0.0.1:0", "--relay", "smtp://127.0.0.1:1"}, nil, strings.NewReader(""), log, log)
	}()
	for !strings.Contains(log.String(), "fan-out runs") {
		select {
		case err := <-done:
			t.Fatalf("serve ended: %v\n%s", err, log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v\n%s", err, log)
	}
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before)
}
