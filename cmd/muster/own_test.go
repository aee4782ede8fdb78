package main

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

// at is a listener as far as its address goes.
type at struct {
	net.Listener
	addr net.Addr
}

func (a at) Addr() net.Addr { return a.addr }

func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	on := func(s string) net.Listener { return at{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s))} }
	for listener, want := range map[string]string{"192.0.2.1:25": "192.0.2.1", "[::]:25": "127.0.0.1", "[::ffff:192.0.2.2]:25": "192.0.2.2"} {
		own, err := ownAddresses([]net.Listener{on(listener), at{addr: &net.UnixAddr{Name: "/x"}}})
		if err != nil || !slices.Contains(own, netip.MustParseAddr(want)) {
			t.Errorf("%s: %v, %v", listener, own, err)
		}
	}
	if own, err := ownAddresses([]net.Listener{on("192.0.2.1:2525")}); err != nil || len(own) > 0 {
		t.Errorf("nobody looks for an MX at port 2525: %v, %v", own, err)
	}
}
