package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// hop is one server to try.
type hop struct {
	addr string // host:port, the host an address where it comes from an MX
	name string // for TLS and for people
	tls  smtpclient.TLSPolicy
	auth *smtpclient.Auth
	// weight is that of a relay; 0: hops are in order.
	weight int
}

// router finds the servers of a destination, best first. A *smtp.Reply as error is final: that is
// what the mail bounces with.
type router struct {
	hostname string                // ours: mail that would come back to it is a loop
	own      func(netip.Addr) bool // whether we are who listens there; nil: nowhere
	relays   relayGroups
	resolver Resolver
	policies *policies // nil: MTA-STS is not asked for
}

// maxHops bounds how many servers of one destination are tried in a row.
const maxHops = 6

func (r *router) hops(ctx context.Context, domain string) ([]hop, error) {
	if strings.HasPrefix(domain, "[") {
		return literalHop(domain)
	}
	exchangers, err := r.exchangers(ctx, domain)
	if err != nil {
		return nil, err
	}
	exchangers, mode, err := r.policies.allow(ctx, domain, exchangers)
	if err != nil {
		return nil, err
	}
	hops, err := r.addresses(ctx, domain, exchangers)
	return mode.demand(hops), err
}

// demand makes hops ask for what a policy does.
func (m stsMode) demand(hops []hop) []hop {
	for i := range hops {
		if m == stsEnforce {
			hops[i].tls = smtpclient.TLSRequired
		}
	}
	return hops
}

// literalHop is the server of user@[192.0.2.1] (RFC 5321 §4.1.3).
func literalHop(domain string) ([]hop, error) {
	inner := strings.TrimPrefix(strings.Trim(strings.ToLower(domain), "[]"), "ipv6:")
	ip, err := netip.ParseAddr(inner)
	if err != nil {
		return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 3}, "bad address literal")
	}
	return []hop{{addr: netip.AddrPortFrom(ip, 25).String(), name: ip.String()}}, nil
}

// exchangers are the MX hosts of a domain, best first (RFC 5321 §5.1), the domain itself where
// there are none.
func (r *router) exchangers(ctx context.Context, domain string) ([]MX, error) {
	mx, err := r.resolver.MX(ctx, domain)
	switch {
	case errors.Is(err, ErrNoDomain):
		return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 2}, "domain "+domain+" does not exist")
	case err != nil:
		return nil, fmt.Errorf("MX of %s: %w", domain, err)
	case len(mx) == 0:
		mx = []MX{{Host: domain}}
	case len(mx) == 1 && mx[0].Host == "":
		return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 10}, "domain "+domain+" does not accept mail")
	}
	better := r.beforeUs(inOrder(mx))
	if len(better) == 0 {
		return nil, loops(domain)
	}
	return better, nil
}

// inOrder is a copy of exchangers, best first, equals in any order (RFC 5321 §5.1).
func inOrder(mx []MX) []MX {
	mx = slices.Clone(mx)
	rand.Shuffle(len(mx), func(i, j int) { mx[i], mx[j] = mx[j], mx[i] })
	slices.SortStableFunc(mx, func(a, b MX) int { return cmp.Compare(a.Preference, b.Preference) })
	return mx
}

func loops(domain string) *smtp.Reply {
	return smtp.NewReply(smtp.CodeFailed, smtp.StatusLoop, "mail for "+domain+" loops back to us")
}

// beforeUs drops ourselves and whoever is not better than us: they would hand the mail to us.
func (r *router) beforeUs(mx []MX) []MX {
	limit := -1
	for _, m := range mx {
		if strings.EqualFold(m.Host, r.hostname) {
			limit = int(m.Preference)
			break
		}
	}
	var better []MX
	for _, m := range mx {
		if m.Host != "" && (limit < 0 || int(m.Preference) < limit) {
			better = append(better, m)
		}
	}
	return better
}

// addresses are the servers behind exchangers, best first. One that is ourselves under another name
// ends the list, as beforeUs does (RFC 5321 §5.1).
func (r *router) addresses(ctx context.Context, domain string, exchangers []MX) ([]hop, error) {
	var hops []hop
	var last error
	better := 0 // hops of exchangers that are preferred to the one at hand
	for i, mx := range exchangers {
		if i > 0 && mx.Preference != exchangers[i-1].Preference {
			better = len(hops)
		}
		addrs, err := r.resolver.Addrs(ctx, mx.Host)
		if err != nil && !errors.Is(err, ErrNoDomain) {
			last = fmt.Errorf("addresses of %s: %w", mx.Host, err)
			continue
		}
		if r.own != nil && slices.ContainsFunc(addrs, r.own) {
			if better == 0 && last == nil {
				return nil, loops(domain)
			}
			hops = hops[:better]
			break
		}
		for _, ip := range addrs {
			hops = append(hops, hop{addr: netip.AddrPortFrom(ip, 25).String(), name: mx.Host})
		}
		if len(hops) >= maxHops {
			return hops[:maxHops], nil
		}
	}
	switch {
	case len(hops) > 0:
		return hops, nil
	case last != nil:
		return nil, last
	}
	// RFC 5321 §5.1: without an address there is nowhere to go, now or later.
	return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 2}, "no mail server of domain "+domain+" has an address")
}
