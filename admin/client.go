package admin

import (
	"net/http"
	"net/netip"
	"strings"
)

// client is the network address a request came from. X-Forwarded-For is read from its end, where
// the nearest proxy wrote, and only as far as each address is a proxy that is trusted: what a
// stranger put in front of it stays a claim.
func (s *Site) client(r *http.Request) string {
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := port.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.isProxy(addr); i-- {
		before, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = before.Unmap()
	}
	return addr.WithZone("").String()
}

func (s *Site) isProxy(addr netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
