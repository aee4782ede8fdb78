package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"muster/cmd/muster/config"
	"muster/fanout"
	"muster/lists/mailauth"
)

// newChecker makes what finds out who vouches for a message that comes in; nil where none does. Its DNS
// keeps answers of its own: those for mail that goes out are not pushed out by what strangers have us ask.
func (n *node) newChecker() (*mailauth.Checker, error) {
	if !n.cfg.Has(config.RoleSMTP) {
		return nil, nil
	}
	dns, err := fanout.NewDNS(n.cfg.Resolver)
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	return &mailauth.Checker{DNS: senderDNS{dns}}, nil
}

// senderDNS is the DNS as mailauth asks it: a name that is not there has nothing.
type senderDNS struct{ dns *fanout.DNS }

// TXT is mailauth.Resolver's.
func (d senderDNS) TXT(ctx context.Context, name string) ([]string, error) {
	found, err := d.dns.TXT(ctx, name)
	return found, unlessAbsent(err)
}

// MX is mailauth.Resolver's. The null MX is no host.
func (d senderDNS) MX(ctx context.Context, domain string) ([]string, error) {
	found, err := d.dns.MX(ctx, domain)
	var hosts []string
	for _, mx := range found {
		if mx.Host != "" {
			hosts = append(hosts, mx.Host)
		}
	}
	return hosts, unlessAbsent(err)
}

// Addrs is mailauth.Resolver's.
func (d senderDNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := d.dns.Addrs(ctx, host)
	return found, unlessAbsent(err)
}

// Names is mailauth.Resolver's.
func (d senderDNS) Names(ctx context.Context, ip netip.Addr) ([]string, error) {
	found, err := d.dns.Names(ctx, ip)
	return found, unlessAbsent(err)
}

func unlessAbsent(err error) error {
	if errors.Is(err, fanout.ErrNoDomain) {
		return nil
	}
	return err
}
