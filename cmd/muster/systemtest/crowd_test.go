package systemtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crowdSize is how many connections come at once: twice of what is let in, or ten times in the long
// run. Each costs this process a file.
func crowdSize() int {
	if long() {
		return 10000
	}
	return 2000
}

// wantFiles fails or skips a test for which a process may not open enough files.
func wantFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max >= n {
		return // Go has raised the limit to its maximum
	}
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("%d files may be open, the test needs %d: raise ulimit -n", limit.Max, n)
	}
	t.Skipf("%d files may be open, the test needs %d", limit.Max, n)
}

// TestCrowd has thousands of connections come to the SMTP port and stay, from one address and from two
// hundred. Who goes beyond a limit is told 421 and is gone; a client from elsewhere gets its
// post in while they stay; and when they are gone nothing of them is left.
func TestCrowd(t *testing.T) {
	t.Parallel()
	wantFiles(t, uint64(crowdSize()+3000))
	for name, from := range map[string]int{"of one": 1, "of many": 200} { // addresses that they come from
		t.Run(name, func(t *testing.T) {
			if !long() { // both at once, where that is not more files than a process may have
				t.Parallel()
			}
			s, sink, members := killSite(t, "true")
			// The limits are for strangers: nobody is trusted here, though all come from this machine.
			n := s.start(t.TempDir(), "--trusted-network", "none", "--resolver", "127.0.0.1:1") // where nobody answers
			idle := n.files()
			conns, greeted, turned := n.crowd(from)
			t.Logf("%d connections, %d greeted, %d told 421", len(conns), greeted, turned)
			if most := 50 * from; greeted > min(most, 1000) || greeted == 0 || greeted+turned != len(conns) {
				t.Errorf("of %d connections from %d addresses %d were greeted and %d told 421", len(conns), from, greeted, turned)
			}
			began := time.Now()
			p := newPoster(t, n.smtp, 1)
			p.accepted[0] = p.insist(0)
			took := time.Since(began)
			t.Logf("a post was taken after %v; %d files open, %d at first; peak of memory %d MiB", took, n.files(), idle, n.peak()>>20)
			if took > 30*time.Second {
				t.Errorf("a post was taken after %v", took)
			}
			sink.waitDistinct(t, len(members))
			for _, c := range conns {
				c.Close()
			}
			n.waitFiles(idle)
			bound := int64(192 << 20)
			if raceEnabled { // whose shadow memory counts too
				bound *= 4
			}
			if peak := n.peak(); peak > bound {
				t.Errorf("it took %d MiB of memory", peak>>20)
			}
			if status := n.stop(); status != 0 {
				t.Errorf("muster serve ended with %d", status)
			}
		})
	}
}

// crowd makes the connections, from so many addresses in turn, and counts how they were received.
func (n *node) crowd(addresses int) (conns []net.Conn, greeted, turned int) {
	n.t.Helper()
	conns = make([]net.Conn, crowdSize())
	n.t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	})
	var yes, no, failed atomic.Int64
	var wg sync.WaitGroup
	const dialers = 50
	for d := range dialers {
		wg.Go(func() {
			for i := d; i < len(conns); i += dialers {
				from := net.TCPAddr{IP: net.IPv4(127, 1, 0, byte(1+i%addresses))}
				c, err := (&net.Dialer{LocalAddr: &from, Timeout: time.Minute}).Dial("tcp", n.smtp)
				if err != nil {
					failed.Add(1)
					continue
				}
				conns[i] = c
				c.SetReadDeadline(time.Now().Add(time.Minute))
				said := make([]byte, 512)
				k, _ := c.Read(said)
				switch {
				case strings.HasPrefix(string(said[:k]), "220"):
					yes.Add(1)
				case strings.HasPrefix(string(said[:k]), "421"):
					no.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		n.t.Fatalf("%d of %d connections could not be made", failed.Load(), len(conns))
	}
	return conns, int(yes.Load()), int(no.Load())
}

// files counts the files that the process has open, connections among them. Where there is no /proc
// it is always 0.
func (n *node) files() int {
	names, _ := os.ReadDir(filepath.Join("/proc", strconv.Itoa(n.cmd.Process.Pid), "fd"))
	return len(names)
}

// waitFiles waits until hardly more files are open than there were; the database may have more
// connections now.
func (n *node) waitFiles(before int) {
	n.t.Helper()
	const more = 60
	for deadline := time.Now().Add(time.Minute); n.files() > before+more; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("%d files are open after all have gone, %d were at first", n.files(), before)
		}
	}
}

// peak is the most memory that the process had, 0 where there is no /proc.
func (n *node) peak() int64 {
	status, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(n.cmd.Process.Pid), "status"))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	fmt.Sscan(rest, &kib)
	return kib << 10
}
