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
	of := func(s string) *peer { return c.get(netip.MustParseAddr(s)) }
	if of("192.0.2.1") != of("192.0.2.1") || of("192.0.2.1") == of("192.0.2.2") {
		t.Error("an IPv4 address is a client")
	}
	if of("2001:db8::1") != of("2001:db8::ffff:0:1") || of("2001:db8::1") == of("2001:db8:0:1::1") {
		t.Error("an IPv6 /64 is a client")
	}
	if c.get(netip.Addr{}) != c.get(netip.Addr{}) {
		t.Error("those without an address are a client")
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
