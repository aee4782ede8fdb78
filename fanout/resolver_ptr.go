package fanout

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

// Names looks up the names of an address, as its network gives them (RFC 1035 §3.5).
func (d *DNS) Names(ctx context.Context, ip netip.Addr) ([]string, error) {
	name, err := dns.ReverseAddr(ip.Unmap().WithZone("").String())
	if err != nil {
		return nil, fmt.Errorf("names of %s: %w", ip, err)
	}
	a := d.ask(ctx, name, dns.TypePTR)
	if a.err != nil {
		return nil, a.err
	}
	var found []string
	for _, r := range a.records {
		if ptr, ok := r.(*dns.PTR); ok {
			found = append(found, hostName(ptr.Ptr))
		}
	}
	return found, nil
}
