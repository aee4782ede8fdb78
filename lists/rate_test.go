package lists

import (
	"strings"
	"sync"
	"testing"
	"time"

	"muster/migrations/testdb"
)

func TestClientKey(t *testing.T) {
	t.Parallel()
	for client, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:25": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:25": "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:80": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "unix": "unix",
	} {
		if got := clientKey(client); got != want {
			t.Errorf("%q is counted as %q, want %q", client, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	pool := testdb.New(t)
	s := New(pool, Config{})
	l := limit{"test", 10, time.Hour}
	count := func(who string) bool {
		t.Helper()
		within, err := s.count(t.Context(), pool, l, who)
		if err != nil {
			t.Fatal(err)
		}
		return within
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if within, err := s.count(t.Context(), pool, l, "many at once"); err == nil && within {
					mu.Lock()
					passed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if passed != l.most || count("many at once") {
		t.Errorf("%d of 20 passed a limit of %d", passed, l.most)
	}
	if !count("somebody else") {
		t.Error("one is counted for another")
	}
	if _, err := pool.Exec(t.Context(), `UPDATE rate SET until = now()`); err != nil {
		t.Fatal(err)
	}
	if !count("many at once") {
		t.Error("the window is over and the count is not")
	}
	if !count(strings.Repeat("x", 1<<20)) {
		t.Error("a long name")
	}
	for range 20 {
		if !count("") {
			t.Fatal("nobody is limited")
		}
	}
}
