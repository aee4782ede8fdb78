package systemtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// seed is printed, so that a round can be had again.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("MUSTER_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("MUSTER_SEED: %v", err)
		}
	}
	t.Logf("MUSTER_SEED=%d repeats this", n)
	return rand.New(rand.NewPCG(n, 0))
}

const (
	killBatch   = 100 // recipients a transaction where verp is off
	connections = 20  // to one destination, Muster's default
)

// killMembers is how many members a list has: ten times as many where a transaction has a hundred, or
// those in flight would be all there are, and a test that allows them could not fail.
func killMembers(verp string) int {
	if verp == "false" {
		return 2000
	}
	return 200
}

// killSite is a site with a list whose members are all behind one sink.
func killSite(t *testing.T, verp string) (*site, *sink, []string) {
	t.Helper()
	sink := newSink(t)
	s := newSite(t, sink.addr)
	return s, sink, s.killList(verp, killMembers(verp))
}

// killList makes the list that killMessage is for, and its members.
func (s *site) killList(verp string, members int) []string {
	s.t.Helper()
	s.run("", "list", "create", "dev@lists.example", "--owner", "ann@a.example")
	s.run("", "list", "set", "dev@lists.example", "post_policy=anyone", "verp="+verp)
	return s.addMembers("dev@lists.example", members)
}

// poster posts numbered messages to whatever address is current, again and again until each was
// answered 250, as a sender's own server would.
type poster struct {
	t        *testing.T
	addr     atomic.Value // string
	accepted []bool
}

// newPoster has n messages to post to addr.
func newPoster(t *testing.T, addr string, n int) *poster {
	p := &poster{t: t, accepted: make([]bool, n)}
	p.addr.Store(addr)
	return p
}

func (p *poster) run(wg *sync.WaitGroup, workers int) {
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(p.accepted); i += workers {
				p.accepted[i] = p.insist(i)
			}
		})
	}
}

// insist posts message i until it is taken.
func (p *poster) insist(i int) bool { return p.insistOn(i, killMessage(i)) }

func (p *poster) insistOn(i int, message []byte) bool {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		c, err := greetErr(p.addr.Load().(string))
		if err != nil {
			continue
		}
		c.t = p.t
		reply, err := c.post("sender@author.example", "dev@lists.example", message)
		c.c.Close()
		if err == nil && strings.HasPrefix(reply, "250") {
			return true
		}
		if strings.HasPrefix(reply, "5") {
			p.t.Errorf("message %d: %s", i, reply)
			return false
		}
	}
	p.t.Errorf("message %d was never accepted", i)
	return false
}

func killMessage(i int) []byte {
	return fmt.Appendf(nil, "%s: %d\r\nFrom: sender@author.example\r\nTo: dev@lists.example\r\nSubject: number %d\r\n"+
		"Message-ID: <kill-%d@author.example>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n%s\r\n",
		tagField, i, i, i, strings.Repeat("The same line again and again.\r\n", 20))
}

// TestKill ends Muster with SIGKILL at random moments while posts come in and go out, and starts it
// again. In the end nobody lacks a message, and nobody has one twice but for the transactions that
// were in flight: one a connection, of one member or of a hundred.
func TestKill(t *testing.T) {
	rounds := 5
	if long() {
		rounds = 100
	}
	for _, verp := range []string{"true", "false"} {
		t.Run("verp="+verp, func(t *testing.T) { killRounds(t, verp, (rounds+1)/2) })
	}
}

func killRounds(t *testing.T, verp string, rounds int) {
	random := seed(t)
	s, sink, members := killSite(t, verp)
	sink.slow(time.Millisecond)
	dir := t.TempDir()
	n := s.start(dir)
	p := newPoster(t, n.smtp, 10*rounds)
	var wg sync.WaitGroup
	p.run(&wg, 3)
	for range rounds {
		time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond)
		n.kill()
		n = s.start(dir)
		p.addr.Store(n.smtp)
	}
	wg.Wait()
	sink.waitDistinct(t, len(p.accepted)*len(members))
	perTransaction := 1
	if verp == "false" {
		perTransaction = killBatch
	}
	checkKilled(t, sink, p.accepted, members, rounds*connections*perTransaction)
	if status := n.stop(); status != 0 {
		t.Errorf("muster serve ended with %d", status)
	}
}

// checkKilled demands at least one copy for each member and message, all copies of one alike, and
// no more second ones than allowed.
func checkKilled(t *testing.T, sink *sink, accepted []bool, members []string, allowed int) {
	t.Helper()
	twice := 0
	for i := range accepted {
		for _, member := range members {
			copies := sink.copies(i, member)
			if len(copies) == 0 {
				t.Errorf("message %d never reached %s", i, member)
				continue
			}
			twice += len(copies) - 1
			for _, c := range copies[1:] {
				if !bytes.Equal(c, copies[0]) {
					t.Errorf("message %d for %s: the second copy differs\n%s\n---\n%s", i, member, header(copies[0]), header(c))
				}
			}
		}
	}
	t.Logf("%d messages to %d members: %d second copies, %d allowed", len(accepted), len(members), twice, allowed)
	if twice > allowed {
		t.Errorf("%d second copies, at most %d were in flight", twice, allowed)
	}
}

// TestTakeOver kills one of two nodes: the other has its work done within 15 seconds.
func TestTakeOver(t *testing.T) {
	s, sink, members := killSite(t, "true")
	sink.slow(20 * time.Millisecond)
	first := s.start(t.TempDir())
	s.start(t.TempDir())
	for i := range 3 {
		c := dial(t, first.smtp, "EHLO client.example")
		if reply, err := c.post("sender@author.example", "dev@lists.example", killMessage(i)); err != nil || reply[0] != '2' {
			t.Fatalf("%q, %v", reply, err)
		}
	}
	sink.wait(t, 50)
	first.kill()
	killed := time.Now()
	sink.waitDistinct(t, 3*len(members))
	bound := 15 * time.Second
	if raceEnabled { // and so on a machine that is busy with all other tests
		bound = 30 * time.Second
	}
	if took := time.Since(killed); took > bound {
		t.Errorf("the rest went out after %v", took)
	}
	checkKilled(t, sink, make([]bool, 3), members, connections)
}

// TestDrain stops Muster with SIGTERM in the middle: it ends in time, and nobody gets a second copy.
func TestDrain(t *testing.T) {
	s, sink, members := killSite(t, "true")
	sink.slow(5 * time.Millisecond)
	dir := t.TempDir()
	n := s.start(dir)
	const posts = 6
	for i := range posts {
		c := dial(t, n.smtp, "EHLO client.example")
		if reply, err := c.post("sender@author.example", "dev@lists.example", killMessage(i)); err != nil || reply[0] != '2' {
			t.Fatalf("%q, %v", reply, err)
		}
		if i%2 == 1 {
			sink.wait(t, 20*i)
			if status := n.stop(); status != 0 {
				t.Errorf("muster serve ended with %d", status)
			}
			n = s.start(dir)
		}
	}
	sink.waitDistinct(t, posts*len(members))
	checkKilled(t, sink, make([]bool, posts), members, 0)
}

// TestPaused stops one of two nodes with SIGSTOP and lets it go on after the other has taken over:
// what it does then is fenced, but for the transaction in flight on each connection.
func TestPaused(t *testing.T) {
	s, sink, members := killSite(t, "true")
	sink.slow(20 * time.Millisecond)
	first := s.start(t.TempDir())
	second := s.start(t.TempDir())
	c := dial(t, second.smtp, "EHLO client.example")
	for i := range 3 {
		if reply, err := c.post("sender@author.example", "dev@lists.example", killMessage(i)); err != nil || reply[0] != '2' {
			t.Fatalf("%q, %v", reply, err)
		}
	}
	sink.wait(t, 50)
	first.signal(syscall.SIGSTOP)
	sink.waitDistinct(t, 3*len(members))
	first.signal(syscall.SIGCONT)
	if status := first.stop(); status != 0 {
		t.Errorf("muster serve ended with %d", status)
	}
	checkKilled(t, sink, make([]bool, 3), members, connections)
}
