package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// smtpPort is where mail servers look for one another.
const smtpPort = 25

// ownAddresses are those at which a mail server that looks for an MX would find one of these
// listeners: all of the machine's where one listens everywhere.
func ownAddresses(listeners []net.Listener) ([]netip.Addr, error) {
	var own []netip.Addr
	for _, l := range listeners {
		at, ok := l.Addr().(*net.TCPAddr)
		if !ok || at.Port != smtpPort {
			continue
		}
		ip := at.AddrPort().Addr().Unmap().WithZone("")
		if !ip.IsUnspecified() {
			own = append(own, ip)
			continue
		}
		all, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of this machine: %w", err)
		}
		for _, a := range all {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				own = append(own, p.Addr().Unmap().WithZone(""))
			}
		}
	}
	return slices.Clip(own), nil
}
