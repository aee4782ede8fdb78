package fanout

import (
	"net/netip"
	"strings"

	"muster/smtp"
)

// literalHop is the server of user@[192.0.2.1] (RFC 5321 §4.1.3). Whoever may join a list chooses it, so
// that it is not to lead to ourselves, nor to hosts that we can reach and others cannot.
func (r *router) literalHop(domain string) ([]hop, error) {
	inner := strings.TrimPrefix(strings.Trim(strings.ToLower(domain), "[]"), "ipv6:")
	ip, err := netip.ParseAddr(inner)
	if err != nil {
		return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 3}, "bad address literal")
	}
	ip = ip.Unmap()
	if r.own != nil && r.own(ip) {
		return nil, loops(domain)
	}
	if !isPublic(ip) {
		return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 3}, domain+" is not an address of the public Internet")
	}
	return []hop{{addr: netip.AddrPortFrom(ip, 25).String(), name: ip.String()}}, nil
}

// isPublic says whether an address is one host's as seen from everywhere (RFC 6890), and names no other
// address that might not be.
func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, special := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fec0::/10", // with an IPv4 address in them, but for the last
	} {
		if netip.MustParsePrefix(special).Contains(ip) {
			return false
		}
	}
	return true
}
