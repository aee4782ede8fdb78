package mailauth

import (
	"context"
	"net"
	"net/netip"
)

// Resolver answers questions to the DNS. A name that is not there, or has no such records, is an empty
// answer; an error means that nothing is known. A cache belongs behind it: the same names are asked for
// again and again.
type Resolver interface {
	// TXT are the text records of a name, each with its strings put together.
	TXT(ctx context.Context, name string) ([]string, error)
	// MX are the hosts that take the mail of a domain.
	MX(ctx context.Context, domain string) ([]string, error)
	// Addrs are the addresses of a host, of both families.
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
	// Names are the names that an address is said to have.
	Names(ctx context.Context, ip netip.Addr) ([]string, error)
}

// asker asks a Resolver in the terms of the libraries, whose errors are those of package net. It keeps
// from it what cannot be a name.
type asker struct{ dns Resolver }

func (c *Checker) asker() asker { return asker{c.DNS} }

// LookupTXT is spf.DNSResolver's.
func (a asker) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if !isName(name) {
		return nil, nil
	}
	found, err := a.dns.TXT(ctx, name)
	return found, temporary(name, err)
}

// LookupMX is spf.DNSResolver's.
func (a asker) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	if !isName(name) {
		return nil, nil
	}
	hosts, err := a.dns.MX(ctx, name)
	if err != nil {
		return nil, temporary(name, err)
	}
	found := make([]*net.MX, 0, len(hosts))
	for _, host := range hosts {
		found = append(found, &net.MX{Host: host})
	}
	return found, nil
}

// LookupIPAddr is spf.DNSResolver's.
func (a asker) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	if !isName(name) {
		return nil, nil
	}
	ips, err := a.dns.Addrs(ctx, name)
	if err != nil {
		return nil, temporary(name, err)
	}
	found := make([]net.IPAddr, 0, len(ips))
	for _, ip := range ips {
		found = append(found, net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()})
	}
	return found, nil
}

// LookupAddr is spf.DNSResolver's.
func (a asker) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, nil
	}
	found, err := a.dns.Names(ctx, ip)
	return found, temporary(addr, err)
}

// temporary is an error as the libraries know one that may pass.
func temporary(name string, err error) error {
	if err == nil {
		return nil
	}
	return &net.DNSError{Err: "no answer", Name: name, IsTemporary: true}
}

// isName says whether the DNS can be asked for a name (RFC 1035 §2.3.4): macros, and tags that a sender
// wrote, come to all kinds of text.
func isName(name string) bool {
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if name == "" || len(name) > 253 {
		return false
	}
	label := 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.' && label > 0:
			label = 0
		case c == '.', c <= ' ', c > '~', c == '\\', label >= 63:
			return false
		default:
			label++
		}
	}
	return label > 0
}
