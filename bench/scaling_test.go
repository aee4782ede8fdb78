package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/bench/capacity"
)

// proc makes a /proc of the processes given, with their parents and times.
func proc(t *testing.T, stats map[int]string) string {
	t.Helper()
	dir := t.TempDir()
	for pid, stat := range stats {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprint(pid)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(pid), "stat"), []byte(stat), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A family's time holds that of children that live and of those that are gone.
func TestFamilyTime(t *testing.T) {
	t.Parallel()
	dir := proc(t, map[int]string{
		10: "10 (postgres) S 1 10 10 0 -1 0 0 0 0 0 1 2 30 40 20 0 1 0",
		11: "11 (postgres: a b) S 10 10 10 0 -1 0 0 0 0 0 100 200 5000 5000 20 0 1 0",
		12: "12 (other) S 1 10 10 0 -1 0 0 0 0 0 7000 7000 0 0 20 0 1 0",
	})
	got, err := familyTime(dir, 10)
	if want := (1 + 2 + 30 + 40 + 100 + 200) * clockTick; err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := familyTime(dir, 13); err == nil {
		t.Error("a family without anybody has a time")
	}
	if parent, err := parentOf(os.Getpid()); err != nil || parent != os.Getppid() {
		t.Errorf("parent %d of ours, %v, want %d", parent, err, os.Getppid())
	}
}

func TestMachineTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stat")
	if err := os.WriteFile(path, []byte("cpu  10 1 20 1000 300 4 5 6 70 80\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	busy, idle, err := machineTime(path)
	if err != nil || busy != 46 || idle != 1300 {
		t.Errorf("%d busy, %d idle, %v", busy, idle, err)
	}
	if share := (effort{busy: 300, idle: 150}).idleShare(effort{busy: 150, idle: 100}); share != 0.25 {
		t.Errorf("%v idle", share)
	}
}

func TestEffortsCost(t *testing.T) {
	t.Parallel()
	before := effort{muster: time.Second, postgres: time.Second, wal: 100, pages: 1, calls: 10, octets: 1000}
	after := effort{muster: 3 * time.Second, postgres: 2 * time.Second, wal: 1100, pages: 11, calls: 60, octets: 9000}
	want := capacity.Cost{Muster: 20_000, PostgreSQL: 10_000, WAL: 10, Pages: 0.1, Statements: 0.5, Disk: 80}
	if got := after.cost(before, 100); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The lists of flows are there and fill the domains, an emptied queue is empty.
func TestFlowLists(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), testStore(t)
	if _, err := s.pool.Exec(ctx, `INSERT INTO domain (name) VALUES ('lists.example')`); err != nil {
		t.Fatal(err)
	}
	if err := s.makeFlowLists(ctx, 200); err != nil {
		t.Fatal(err)
	}
	id, err := s.listID(ctx, flowName(flowLists-1))
	if err != nil {
		t.Fatal(err)
	}
	var members, domains int
	if err := s.pool.QueryRow(ctx, `SELECT count(*), count(DISTINCT domain) FROM member WHERE list = $1`, id).Scan(&members, &domains); err != nil || members != 200 || domains != flowDomains {
		t.Errorf("%d members in %d domains, %v", members, domains, err)
	}
	const post = `
INSERT INTO post (id, ref, list, kind, state, sender, author, message_id, subject, size, received, eightbit, smtputf8, header_len)
VALUES (gen_random_uuid(), gen_random_uuid(), $1, 'post', 'accepted', '', '', '', '', 1, '', false, false, 1)`
	if _, err := s.pool.Exec(ctx, post, id); err != nil {
		t.Fatal(err)
	}
	if all, err := s.allPlanned(ctx); err != nil || all {
		t.Errorf("a post is planned before it is: %v", err)
	}
	if err := s.clearQueue(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err := s.allPlanned(ctx); err != nil || !all {
		t.Errorf("an emptied queue has something to plan: %v", err)
	}
	if err := s.awaitFinished(ctx); err != nil {
		t.Error(err)
	}
	if n, err := s.memberOctets(ctx); err != nil || n < 200*flowLists*100 {
		t.Errorf("members take %d octets, %v", n, err)
	}
	if n, err := s.deferred(ctx); err != nil || n != 0 {
		t.Errorf("%d deferred, %v", n, err)
	}
}

// Each domain goes to one of the destinations, none to two.
func TestRelaysShareTheDomains(t *testing.T) {
	t.Parallel()
	s := &scaling{bench: &bench{config: config{work: t.TempDir()}}}
	path, err := s.writeRelays("127.0.0.1:25", 4)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "[[relay]]"); n != 4 {
		t.Errorf("%d destinations", n)
	}
	for d := range flowDomains {
		if n := strings.Count(string(text), fmt.Sprintf("%q", fmt.Sprintf("d%02d.example", d))); n != 1 {
			t.Errorf("d%02d.example is in %d of them", d, n)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	s := &scaling{bench: &bench{config: config{million: 1_000_000}}}
	if got := fmt.Sprint(s.sizes()); got != "[1000 10000 100000 1000000]" {
		t.Error(got)
	}
}

// A counter that puts off every second recipient takes no message without one.
func TestCounterPutsOff(t *testing.T) {
	t.Parallel()
	c, err := startCounter("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.defers.Store(2)
	conn, err := net.Dial("tcp", c.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, turn := range []struct{ command, code string }{
		{"", "220"}, {"MAIL FROM:<>", "250"}, {"RCPT TO:<a@b.example>", "250"}, {"DATA", "354"}, {".", "250"},
		{"MAIL FROM:<>", "250"}, {"RCPT TO:<c@b.example>", "451"}, {"DATA", "503"}, {"QUIT", "221"},
	} {
		if turn.command != "" {
			fmt.Fprint(conn, turn.command, "\r\n")
		}
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, turn.code) {
			t.Fatalf("%s: %q, %v", turn.command, line, err)
		}
	}
	if n := c.taken.Load(); n != 1 {
		t.Errorf("%d taken", n)
	}
}

func TestCommandLineOfScaling(t *testing.T) {
	t.Parallel()
	c, err := parse([]string{"-scaling"})
	if err != nil || !c.scaling || filepath.Base(c.out) != "scaling.json" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = parse(nil); err != nil || c.scaling || filepath.Base(c.out) != "results.json" {
		t.Errorf("%+v, %v", c, err)
	}
}
