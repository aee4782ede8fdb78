package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"muster/cmd/muster/config"
	"muster/migrations/testdb"
)

func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	_, err := joinDatabase(t.Context(), &config.Config{DatabaseURL: "postgres://u:geheim@127.0.0.1:1/x"})
	if err == nil || !strings.Contains(err.Error(), "database_url") || strings.Count(err.Error(), "127.0.0.1:1 ") != 1 {
		t.Errorf("error = %v, want one that says once what, and what to do", err)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the password is in %q", err)
	}
}

func TestDatabaseURLThatIsNone(t *testing.T) {
	t.Parallel()
	_, err := joinDatabase(t.Context(), &config.Config{DatabaseURL: "postgres://u:geheim@%%"})
	if usage := (usageError{}); !errors.As(err, &usage) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error = %v, want one of usage without the password", err)
	}
}

// Muster and its PostgreSQL may start at the same time: serve waits for one that is not there yet.
func TestServeWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := new(output)
	done := make(chan error, 1)
	go func() {
		done <- awaitDatabase(ctx, "postgres://u@127.0.0.1:1/x", slog.New(slog.NewTextHandler(log, nil)))
	}()
	for !strings.Contains(log.String(), "does not take connections yet") {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("a database that never came was taken for one")
	}
	if err := awaitDatabase(t.Context(), testdb.URL(t), slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("a database that is there: %v", err)
	}
}
