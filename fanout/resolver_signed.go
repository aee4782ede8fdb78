package fanout

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

// What DNSSEC has to say, for DANE: answers as those of the other lookups, and whether they are signed.

// signedMX looks up the mail exchangers of a domain as MX does. Where the answer is signed, even if it is
// that there are none, names are the domain's own and, for an alias, that of the domain it stands for.
func (d *DNS) signedMX(ctx context.Context, domain string) (mx []MX, names []string, err error) {
	a := d.ask(ctx, domain, dns.TypeMX)
	if a.err != nil || !a.signed {
		return a.exchangers(), nil, a.err
	}
	names = []string{hostName(domain)}
	if end := hostName(a.end); end != names[0] {
		names = append(names, end)
	}
	return a.exchangers(), names, nil
}

// signedAddrs looks up the addresses of a host as Addrs does, and the names under which its TLSA records
// may be, the better first (RFC 7672 §2.2.2): where the addresses are signed, the name at the end of its
// CNAME records and its own; where it is a signed alias of a host that is not, its own; else none.
func (d *DNS) signedAddrs(ctx context.Context, host string) (addrs []netip.Addr, bases []string, err error) {
	families := d.families(ctx, host)
	if addrs, err = addrsOf(families); err != nil || len(addrs) == 0 {
		return addrs, nil, err
	}
	own, end, signed := hostName(host), "", true
	for _, a := range families {
		if len(a.records) > 0 {
			end = hostName(a.end)
			signed = signed && a.signed
		}
	}
	switch {
	case signed && end != own:
		return addrs, []string{end, own}, nil
	case signed:
		return addrs, []string{own}, nil
	case end == own:
		return addrs, nil, nil
	}
	alias := d.ask(ctx, host, dns.TypeCNAME) // whose answer ends with the first link
	if alias.err != nil && !errors.Is(alias.err, ErrNoDomain) {
		return nil, nil, alias.err
	}
	if alias.signed && len(alias.records) > 0 {
		bases = []string{own}
	}
	return addrs, bases, nil
}

// tlsa looks up the TLSA records for what listens on a port (RFC 6698 §3) of the first of several names that has any. What is not signed
// is not there (RFC 7672 §2.2). An answer that cannot be had is an error: records may be what somebody
// keeps from us.
func (d *DNS) tlsa(ctx context.Context, port string, bases []string) (base string, found []*dns.TLSA, err error) {
	for _, base = range bases {
		a := d.ask(ctx, "_"+port+"._tcp."+base, dns.TypeTLSA)
		if a.err != nil && !errors.Is(a.err, ErrNoDomain) {
			return base, nil, fmt.Errorf("%w: %w", errTLSA, a.err)
		}
		for _, r := range a.records {
			if t, ok := r.(*dns.TLSA); ok && a.signed {
				found = append(found, t)
			}
		}
		if len(found) > 0 {
			return base, found, nil
		}
	}
	return "", nil, nil
}
