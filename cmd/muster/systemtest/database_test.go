package systemtest

import (
	"strings"
	"testing"
	"time"
)

// TestDatabaseAway takes PostgreSQL away from a node in the middle of a fan-out: gone, it hangs up
// and lets nobody in, or hanging, it takes questions and never answers. A sender is told 451
// meanwhile. When it is back all goes on, and since the node has not forgotten what was sent, nobody
// gets a second copy.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*gate){"gone": (*gate).shut, "hangs": (*gate).freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, sink, members := killSite(t, "true")
			sink.slow(10 * time.Millisecond)
			g, through := newGate(t, s.database)
			s.database = through
			n := s.start(t.TempDir())
			p := newPoster(t, n.smtp, 3)
			p.accepted[0] = p.insist(0)
			sink.wait(t, 20)
			away(g)
			c := dial(t, n.smtp, "EHLO client.example")
			reply, err := c.post("sender@author.example", "dev@lists.example", killMessage(1))
			if err != nil || !strings.HasPrefix(reply, "451") {
				t.Errorf("without its database it says %q, %v", reply, err)
			}
			if total := sink.total(); total >= len(members) {
				t.Errorf("%d copies had gone out before the database was away: there was no middle", total)
			}
			if n.ended() {
				t.Fatal("it ended with its database")
			}
			g.open()
			p.accepted[1], p.accepted[2] = p.insist(1), p.insist(2)
			sink.waitDistinct(t, 3*len(members))
			checkKilled(t, sink, p.accepted, members, 0)
			if status := n.stop(); status != 0 {
				t.Errorf("muster serve ended with %d", status)
			}
		})
	}
}

// TestCutOff cuts the node that sends off from the database: another takes its work over, and what
// the first had in flight, a transaction a connection, is all that comes twice. Then it is let in
// again, and finds that it is no longer meant.
func TestCutOff(t *testing.T) {
	t.Parallel()
	s, sink, members := killSite(t, "true")
	sink.slow(50 * time.Millisecond)
	g, through := newGate(t, s.database)
	behind := &site{t: t, database: through, relay: s.relay}
	first := behind.start(t.TempDir())
	p := newPoster(t, first.smtp, 4)
	for i := range 3 {
		p.accepted[i] = p.insist(i)
	}
	sink.wait(t, 3)
	second := s.start(t.TempDir()) // when all shards are the first's
	g.freeze()
	if before := sink.total(); before > 2*len(members) {
		t.Fatalf("%d copies had gone out before it was cut off: there was no middle", before)
	}
	sink.waitDistinct(t, 3*len(members))
	g.open()
	p.addr.Store(second.smtp)
	p.accepted[3] = p.insist(3)
	sink.waitDistinct(t, 4*len(members))
	if status := first.stop(); status != 0 {
		t.Errorf("muster serve ended with %d", status)
	}
	checkKilled(t, sink, p.accepted, members, connections)
}
