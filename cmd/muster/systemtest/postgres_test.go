package systemtest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// privateSite is a site on a private PostgreSQL in dir.
func privateSite(t *testing.T, dir string, members int) (*site, *sink, []string) {
	t.Helper()
	sink := newSink(t)
	s := &site{t: t, dataDir: dir, relay: sink.addr}
	return s, sink, s.killList("true", members)
}

// postmaster is the process of the private PostgreSQL, 0 where none runs.
func (s *site) postmaster() int {
	text, err := os.ReadFile(filepath.Join(s.dataDir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// children are the processes that pid has started and that still run.
func children(t *testing.T, pid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if n, _ := fmt.Sscan(line, &child, &parent); n == 2 && parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// killPostgres ends the private PostgreSQL with SIGKILL: the postmaster, or one of its children.
func (s *site) killPostgres(t *testing.T, random *rand.Rand, whole bool) {
	t.Helper()
	for deadline := time.Now().Add(arrival); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		pid := s.postmaster()
		if pid == 0 {
			continue
		}
		if !whole {
			all := children(t, pid)
			if len(all) == 0 {
				continue
			}
			pid = all[random.IntN(len(all))]
		}
		err := syscall.Kill(pid, syscall.SIGKILL)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	t.Fatal("no PostgreSQL to kill")
}

// TestPostgresKilled kills PostgreSQL at random moments, in turn the whole and one process of it,
// while posts come in and go out. Muster starts it again where it has to and goes on by itself. It
// has not forgotten what was sent: nobody gets a second copy.
func TestPostgresKilled(t *testing.T) {
	t.Parallel()
	rounds := 4
	if long() {
		rounds = 15
	}
	random := seed(t)
	s, sink, members := privateSite(t, t.TempDir(), 100)
	sink.slow(5 * time.Millisecond)
	n := s.start(s.dataDir)
	p := newPoster(t, n.smtp, 6*rounds)
	all := len(p.accepted) * len(members)
	var wg sync.WaitGroup
	p.run(&wg, 2)
	for i := range rounds {
		// The last one is over when something goes out again.
		enough := min(sink.total()+1+random.IntN(100), all)
		if !sink.WaitUntil(arrival, func() bool { return sink.total() >= enough }) {
			t.Fatalf("nothing goes out any more after %d kills", i)
		}
		s.killPostgres(t, random, i%2 == 0)
	}
	wg.Wait()
	sink.waitDistinct(t, all)
	checkKilled(t, sink, p.accepted, members, 0)
	if status := n.stop(); status != 0 {
		t.Errorf("muster serve ended with %d", status)
	}
}

// smallDisk is a directory on a file system of its own, so small that it can be filled. Only root
// can have one; for others the test is skipped.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a disk to fill")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=755,size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs a disk to fill: mount: %v: %s", err, out)
		}
		t.Skipf("no disk to fill: mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// fill takes all room there is in dir and returns the file that has it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for piece := 1 << 20; piece > 0; piece /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, piece))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return f.Name()
}

// bulkyMessage is killMessage with so many octets that no compression makes fewer.
func bulkyMessage(i int) []byte {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	var b strings.Builder
	line := make([]byte, 54)
	for range 1500 {
		for j := range line {
			line[j] = byte(random.Uint32())
		}
		b.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	return append(killMessage(i), b.String()...)
}

// postUntilRefused posts bulky messages from number first on, and returns how many of them were
// taken and what was said to the next.
func (n *node) postUntilRefused(first int) (taken int, refused string) {
	n.t.Helper()
	for taken < 1000 {
		c := dial(n.t, n.smtp, "EHLO client.example")
		reply, err := c.post("sender@author.example", "dev@lists.example", bulkyMessage(first+taken))
		c.c.Close()
		if err != nil {
			n.t.Fatalf("with a full disk: %v", err)
		}
		if !strings.HasPrefix(reply, "250") {
			return taken, reply
		}
		taken++
	}
	n.t.Fatalf("with a full disk %d messages were taken", taken)
	return 0, ""
}

// TestDiskFull fills the disk that PostgreSQL and the spool are on, while copies go out. Posts are
// put off with 452 or 451 until there is room, and then it goes on by itself: what was answered 250
// reaches everybody.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s, sink, members := privateSite(t, smallDisk(t, "256m"), 100)
	sink.slow(10 * time.Millisecond)
	n := s.start(s.dataDir)
	p := newPoster(t, n.smtp, 1)
	p.accepted[0] = p.insist(0)
	sink.wait(t, 10)
	ballast := fill(t, s.dataDir)
	taken, refused := n.postUntilRefused(1)
	t.Logf("%d messages were taken, then: %s", taken, refused)
	if !strings.HasPrefix(refused, "452") && !strings.HasPrefix(refused, "451") {
		t.Errorf("with a full disk it says %q", refused)
	}
	if n.ended() {
		t.Fatal("it ended with a full disk")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range taken {
		p.accepted = append(p.accepted, true)
	}
	put := len(p.accepted)
	p.accepted = append(p.accepted, p.insistOn(put, bulkyMessage(put)))
	sink.waitDistinct(t, len(p.accepted)*len(members))
	checkKilled(t, sink, p.accepted, members, 0)
	if status := n.stop(); status != 0 {
		t.Errorf("muster serve ended with %d", status)
	}
}
