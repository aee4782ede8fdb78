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
	records, err := d.ask(ctx, domain, dns.TypeMX)
	if err != nil {
		return nil, err
	}
	var found []MX
	for _, r := range records {
		if mx, ok := r.(*dns.MX); ok {
			found = append(found, MX{mx.Preference, strings.ToLower(strings.TrimSuffix(mx.Mx, "."))})
		}
	}
	return found, nil
}

// Addrs looks up the addresses of a host, of both families in turns, IPv6 first: where one family
// leads nowhere from here, the next address tried is of the other (in the spirit of RFC 8305 §4).
// A family that cannot be looked up does not hide what the other has.
func (d *DNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	var families [2][]netip.Addr
	var errs [2]error
	for i, kind := range []uint16{dns.TypeAAAA, dns.TypeA} {
		records, err := d.ask(ctx, host, kind)
		errs[i] = err
		for _, r := range records {
			if ip, ok := addrOf(r); ok {
				families[i] = append(families[i], ip)
			}
		}
		if errors.Is(err, ErrNoDomain) {
			break
		}
	}
	if found := inTurns(families[0], families[1]); len(found) > 0 {
		return found, nil
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, ErrNoDomain) { // nothing is known for sure
			return nil, err
		}
	}
	return nil, errors.Join(errs[:]...)
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
func (d *DNS) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := question{dns.CanonicalName(name), kind}
	if a, ok := d.cache.get(q); ok {
		return a.records, a.err
	}
	reply, err := d.askServers(ctx, name, kind)
	if ctx.Err() != nil { // it was not the DNS that failed
		return nil, err
	}
	ttl := failureTTL
	var records []dns.RR
	if err == nil {
		records, err = follow(reply.Answer, name, kind)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", dns.TypeToString[kind], name, err)
	}
	if reply != nil && (err == nil || errors.Is(err, ErrNoDomain)) {
		ttl = ttlOf(reply, records)
	}
	d.cache.put(q, dnsAnswer{records: records, err: err}, ttl)
	return records, err
}

func (d *DNS) askServers(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	var last error
	for range dnsRounds {
		for _, server := range d.servers {
			answer, err := exchange(ctx, server, name, kind)
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

func exchange(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	q.SetEdns0(udpSize, false)
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
