package smtpserver

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestClientsByNetwork(t *testing.T) {
	t.Parallel()
	var c clients
	c.init()
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:0:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"", "", true}, // on a unix socket
	} {
		a, _ := netip.ParseAddr(tt.a)
		b, _ := netip.ParseAddr(tt.b)
		if same := c.get(a) == c.get(b); same != tt.same {
			t.Errorf("%q and %q are the same client: %v", tt.a, tt.b, same)
		}
	}
}

func TestClientsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clients
		c.init()
		busy := c.get(netip.MustParseAddr("192.0.2.1"))
		busy.sessions = 1
		gone := c.get(netip.MustParseAddr("192.0.2.2"))
		gone.authFailed()
		time.Sleep(forgetAfter + time.Second)
		c.get(netip.MustParseAddr("192.0.2.3"))
		if len(c.peers) != 2 || c.get(netip.MustParseAddr("192.0.2.1")) != busy {
			t.Errorf("%d remembered", len(c.peers))
		}
	})
}

func TestClientsAreBounded(t *testing.T) {
	t.Parallel()
	var c clients
	c.init()
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxClients + 10 {
		c.get(addr)
		addr = addr.Next()
	}
	if len(c.peers) > maxClients {
		t.Errorf("%d remembered", len(c.peers))
	}
}

func TestQuestionsPerMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p peer
		for n := range 5 {
			if p.mayAsk(3) != (n < 3) {
				t.Errorf("question %d", n)
			}
		}
		time.Sleep(time.Minute)
		if !p.mayAsk(3) {
			t.Error("a minute later")
		}
	})
}

func TestAuthFailuresAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p peer
		p.authFailed()
		p.authFailed()
		if n := p.authFailures(); n != 2 {
			t.Errorf("%d failures", n)
		}
		time.Sleep(forgetAfter + time.Second)
		if n := p.authFailures(); n != 0 {
			t.Errorf("%d failures", n)
		}
	})
}
