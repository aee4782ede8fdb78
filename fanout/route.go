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
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// hop is one server to try.
type hop struct {
	addr string // host:port, the host an address where it comes from an MX; or a unix socket's path
	name string // for TLS and for people
	tls  smtpclient.TLSPolicy
	auth *smtpclient.Auth
	lmtp bool
	to   *endpoint // by HTTP
	pins *pins
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
	dane     *DNS      // the resolver, where it knows what is signed; nil: TLSA is not asked for
	redirect string    // the domain that all mail goes to; "": to each its own
}

// way is where mail of a domain goes, and what protects it there.
type way struct {
	exchangers []MX // best first
	sts        stsMode
	// pinned: the MX answer is signed, and TLSA records of its hosts are to be looked for.
	pinned bool
	// names are the domain's, which a certificate may have in place of its host's (RFC 7672 §3.2.2).
	names []string
}

const (
	// maxHops bounds how many servers of one destination are tried in a row.
	maxHops = 6
	// maxExchangers bounds how many of them are looked up for that.
	maxExchangers = 10
	// routeTime bounds how long they are looked for. What was found by then is tried.
	routeTime = 30 * time.Second
)

func (r *router) hops(ctx context.Context, domain string) ([]hop, error) {
	domain = r.goal(domain)
	if strings.HasPrefix(domain, "[") {
		return r.literalHop(domain)
	}
	w, err := r.way(ctx, domain)
	if err != nil {
		return nil, err
	}
	return r.addresses(ctx, domain, w)
}

// way finds where mail of a domain goes. DANE comes before MTA-STS (RFC 8461 §2): a host whose
// certificate the signed DNS vouches for needs nobody else's leave.
func (r *router) way(ctx context.Context, domain string) (w way, err error) {
	w.exchangers, w.names, err = r.exchangers(ctx, domain)
	if err != nil {
		return way{}, err
	}
	var pinned map[string]bool
	if w.names != nil {
		if pinned, w.pinned, err = r.pinned(ctx, w.exchangers); err != nil {
			return way{}, fmt.Errorf("TLSA of the MX hosts of %s: %w", domain, err)
		}
	}
	w.exchangers, w.sts, err = r.policies.allow(ctx, domain, w.exchangers, pinned)
	return w, err
}

// demand makes hops ask for what a policy does, and for what their pins do.
func (m stsMode) demand(hops []hop) []hop {
	for i, h := range hops {
		switch {
		case h.tls == smtpclient.TLSImplicit: // a relay's, which is as good
		case m == stsEnforce || h.pins.usable():
			hops[i].tls = smtpclient.TLSRequired
		case h.pins != nil:
			hops[i].tls = smtpclient.TLSEncrypted
		}
	}
	return hops
}

// exchangers are the MX hosts of a domain, best first (RFC 5321 §5.1), the domain itself where
// there are none. Where the DNS has signed that, names are the domain's.
func (r *router) exchangers(ctx context.Context, domain string) (mx []MX, names []string, err error) {
	if r.dane != nil {
		mx, names, err = r.dane.signedMX(ctx, domain)
	} else {
		mx, err = r.resolver.MX(ctx, domain)
	}
	switch {
	case errors.Is(err, ErrNoDomain):
		return nil, nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 2}, "domain "+domain+" does not exist")
	case err != nil:
		return nil, nil, fmt.Errorf("MX of %s: %w", domain, err)
	case len(mx) == 0:
		mx = []MX{{Host: domain}}
	case len(mx) == 1 && mx[0].Host == "":
		return nil, nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 10}, "domain "+domain+" does not accept mail")
	}
	better := r.beforeUs(inOrder(mx))
	if len(better) == 0 {
		return nil, nil, loops(domain)
	}
	return better, names, nil
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
func (r *router) addresses(ctx context.Context, domain string, w way) ([]hop, error) {
	var hops []hop
	var last error
	better := 0 // hops of exchangers that are preferred to the one at hand
	for i, mx := range w.exchangers {
		if i == maxExchangers {
			break
		}
		if i > 0 && mx.Preference != w.exchangers[i-1].Preference {
			better = len(hops)
		}
		to, err := r.host(ctx, mx.Host, w)
		if err != nil && !errors.Is(err, ErrNoDomain) {
			last = err
			continue
		}
		if r.own != nil && slices.ContainsFunc(to.addrs, r.own) {
			if better == 0 && last == nil {
				return nil, loops(domain)
			}
			hops = hops[:better]
			break
		}
		for _, ip := range to.addrs {
			hops = append(hops, hop{addr: netip.AddrPortFrom(ip, 25).String(), name: mx.Host, pins: to.pins})
		}
		if len(hops) >= maxHops {
			break
		}
	}
	switch {
	case len(hops) > 0:
		return w.sts.demand(hops[:min(len(hops), maxHops)]), nil
	case last != nil:
		return nil, last
	}
	// RFC 5321 §5.1: without an address there is nowhere to go, now or later.
	return nil, smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 2}, "no mail server of domain "+domain+" has an address")
}
