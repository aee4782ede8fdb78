package fanout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// ErrNoDomain is a name that the DNS knows not to exist.
var ErrNoDomain = errors.New("no such domain")

// MX is one mail exchanger of a domain. Host is without a trailing dot; empty, it is the null MX
// of RFC 7505.
type MX struct {
	Preference uint16
	Host       string
}

// Resolver is what the fan-out asks of the DNS. An error is ErrNoDomain or temporary; a name that
// exists without such records is an empty answer.
type Resolver interface {
	MX(ctx context.Context, domain string) ([]MX, error)
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}

// DNS asks recursive name servers. It is safe for concurrent use.
type DNS struct {
	// Validates says that the servers check the signatures of DNSSEC and that nobody can change what
	// they say on the way here, so that their word for it (AD, RFC 4035 §3.2.3) is good. It is set
	// before anything is asked. Without it nothing counts as signed.
	Validates bool

	servers []string // host:port, tried in order
	cache   answers
}

// NewDNS makes a Resolver that asks the server at addr (a port is not needed), or those of
// /etc/resolv.conf for an empty addr.
func NewDNS(addr string) (*DNS, error) {
	if addr != "" {
		return &DNS{servers: []string{withPort(addr, "53")}}, nil
	}
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil, fmt.Errorf("name servers: %w", err)
	}
	d := &DNS{}
	for _, s := range conf.Servers {
		d.servers = append(d.servers, net.JoinHostPort(s, conf.Port))
	}
	return d, nil
}

func withPort(addr, port string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), port)
}

// MX looks up the mail exchangers of a domain, in no order.
func (d *DNS) MX(ctx context.Context, domain string) ([]MX, error) {
	a := d.ask(ctx, domain, dns.TypeMX)
	return a.exchangers(), a.err
}

func (a *dnsAnswer) exchangers() []MX {
	var found []MX
	for _, r := range a.records {
		if mx, ok := r.(*dns.MX); ok {
			found = append(found, MX{mx.Preference, hostName(mx.Mx)})
		}
	}
	return found
}

// hostName is a name of the DNS as it is written elsewhere.
func hostName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Addrs looks up the addresses of a host, of both families in turns, IPv6 first: where one family
// leads nowhere from here, the next address tried is of the other (in the spirit of RFC 8305 §4).
// A family that cannot be looked up does not hide what the other has.
func (d *DNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	return addrsOf(d.families(ctx, host))
}

// families are the answers for IPv6 and IPv4.
func (d *DNS) families(ctx context.Context, host string) (answers [2]dnsAnswer) {
	for i, kind := range []uint16{dns.TypeAAAA, dns.TypeA} {
		answers[i] = d.ask(ctx, host, kind)
		if errors.Is(answers[i].err, ErrNoDomain) {
			break
		}
	}
	return answers
}

func addrsOf(families [2]dnsAnswer) ([]netip.Addr, error) {
	var addrs [2][]netip.Addr
	for i, a := range families {
		for _, r := range a.records {
			if ip, ok := addrOf(r); ok {
				addrs[i] = append(addrs[i], ip)
			}
		}
	}
	if found := inTurns(addrs[0], addrs[1]); len(found) > 0 {
		return found, nil
	}
	for _, a := range families {
		if a.err != nil && !errors.Is(a.err, ErrNoDomain) { // nothing is known for sure
			return nil, a.err
		}
	}
	return nil, errors.Join(families[0].err, families[1].err)
}

func inTurns(a, b []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			all = append(all, a[i])
		}
		if i < len(b) {
			all = append(all, b[i])
		}
	}
	return all
}

func addrOf(r dns.RR) (netip.Addr, bool) {
	switch r := r.(type) {
	case *dns.A:
		ip, ok := netip.AddrFromSlice(r.A)
		return ip.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(r.AAAA)
	}
	return netip.Addr{}, false
}

// The time for one question to one server, and how often all are asked.
const (
	dnsTimeout = 4 * time.Second
	dnsRounds  = 2
)

// ask answers from what is kept, or asks the servers and keeps what they say.
func (d *DNS) ask(ctx context.Context, name string, kind uint16) dnsAnswer {
	q := question{dns.CanonicalName(name), kind}
	if a, ok := d.cache.get(q); ok {
		return a
	}
	reply, err := d.askServers(ctx, name, kind)
	a := dnsAnswer{end: q.name, err: err}
	if err != nil && !errors.Is(err, ErrNoDomain) && ctx.Err() != nil { // it was not the DNS that failed
		return a
	}
	ttl := failureTTL
	if a.err == nil {
		a.records, a.end, a.err = follow(reply.Answer, name, kind)
		a.signed = d.Validates && reply.AuthenticatedData
	}
	if a.err != nil {
		a.err = fmt.Errorf("%s %s: %w", dns.TypeToString[kind], name, a.err)
	}
	if reply != nil && (a.err == nil || errors.Is(a.err, ErrNoDomain)) {
		ttl = ttlOf(reply, a.records)
	}
	d.cache.put(q, a, ttl)
	return a
}

func (d *DNS) askServers(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	var last error
	for range dnsRounds {
		for _, server := range d.servers {
			answer, err := d.exchange(ctx, server, name, kind)
			if err == nil {
				return answer, nil
			}
			if errors.Is(err, ErrNoDomain) || ctx.Err() != nil {
				return answer, err
			}
			last = err
		}
	}
	if last == nil {
		last = errors.New("no name server is configured")
	}
	return nil, last
}

// udpSize is what fits one packet everywhere.
const udpSize = 1232

func (d *DNS) exchange(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	q.SetEdns0(udpSize, false)
	q.AuthenticatedData = d.Validates // which asks for the bit in the answer (RFC 6840 §5.7)
	client := dns.Client{Timeout: dnsTimeout, UDPSize: udpSize}
	a, _, err := client.ExchangeContext(ctx, q, server)
	if err == nil && a.Truncated {
		client.Net = "tcp"
		a, _, err = client.ExchangeContext(ctx, q, server)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking %s for %s: %w", server, name, err)
	case a.Rcode == dns.RcodeNameError:
		return a, ErrNoDomain
	case a.Rcode != dns.RcodeSuccess:
		return nil, fmt.Errorf("asking %s for %s: %s", server, name, dns.RcodeToString[a.Rcode])
	}
	return a, nil
}
