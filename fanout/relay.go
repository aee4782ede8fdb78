package fanout

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"muster/smtp/smtpclient"
)

// ErrRelay is a relay URL that cannot be used.
var ErrRelay = errors.New("a relay is smtp://[user:password@]host:port, smtps://… or lmtp://…, lmtp+unix:/path, or https://[user:password@]host/path")

// ErrLMTPPort is LMTP on the port of SMTP, which RFC 2033 §5 forbids.
var ErrLMTPPort = errors.New("LMTP is not spoken on port 25: what listens there would take the mail for SMTP")

// Relay is a server that takes mail for others. Those that are for the same domains are a group:
// one destination, each of whose connections goes to one of them.
type Relay struct {
	Addr   string // host:port, or the path of a unix socket
	LMTP   bool   // it speaks LMTP
	TLS    smtpclient.TLSPolicy
	Auth   *smtpclient.Auth
	URL    *url.URL // where it takes copies by HTTP, without a password; nil: it speaks SMTP or LMTP
	Token  string   // by HTTP, a bearer token (RFC 6750) in place of Auth
	Weight int      // its share of connections among its group's; 0 is 1
	// What it is for, as ParsePattern makes it: mail of lists of these domains, mail to these
	// domains, or where both are given what is both. Without any: all that no other is for.
	ForListDomain, ForRecipientDomain []string
}

// relayGroup are the relays that are for the same domains.
type relayGroup struct {
	name              string // of the destination
	lists, recipients []string
	hops              []hop
}

// relayGroups are in the order in which they are asked, the one for all that is left at the end.
type relayGroups []*relayGroup

// newRelayGroups puts relays with the same patterns together.
func newRelayGroups(relays []Relay) relayGroups {
	var groups relayGroups
	for _, r := range relays {
		name := relayName(r.ForListDomain, r.ForRecipientDomain)
		i := slices.IndexFunc(groups, func(g *relayGroup) bool { return g.name == name })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &relayGroup{name: name, lists: r.ForListDomain, recipients: r.ForRecipientDomain})
		}
		groups[i].hops = append(groups[i].hops, r.hop())
	}
	slices.SortStableFunc(groups, func(a, b *relayGroup) int { // the one without a pattern comes last
		return cmp.Compare(b.length(), a.length())
	})
	return groups
}

// hop is the relay as a server to try.
func (r *Relay) hop() hop {
	host, _, err := net.SplitHostPort(r.Addr)
	if err != nil { // a socket
		host = r.Addr
	}
	return hop{addr: r.Addr, name: host, tls: r.TLS, auth: r.Auth, lmtp: r.LMTP, to: r.endpoint(), weight: max(r.Weight, 1)}
}

// isSocket says whether a hop is a unix socket, on which nobody can listen on the way.
func (h *hop) isSocket() bool { return strings.HasPrefix(h.addr, "/") }

// length is 0 for a group that is for all, else 1.
func (g *relayGroup) length() int { return min(len(g.lists)+len(g.recipients), 1) }

// relayName names the destination of relays: by what they are for, so that one more of them is no
// other destination.
func relayName(lists, recipients []string) string {
	sorted := func(patterns []string) string { return strings.Join(slices.Sorted(slices.Values(patterns)), ",") }
	name := destRelay
	if len(lists) > 0 {
		name += " of " + sorted(lists)
	}
	if len(recipients) > 0 {
		name += " to " + sorted(recipients)
	}
	return shortName(name)
}

// isRelay says whether a destination is, or was, one of relays.
func isRelay(dest string) bool { return dest == destRelay || strings.HasPrefix(dest, destRelay+" ") }

// named is the group of a destination, nil if there is none.
func (gs relayGroups) named(dest string) *relayGroup {
	for _, g := range gs {
		if g.name == dest {
			return g
		}
	}
	return nil
}

// of is the group that takes mail of a list's domain to a domain; nil: its MX does.
func (gs relayGroups) of(list, domain string) *relayGroup {
	for _, g := range gs {
		if (len(g.lists) == 0 || fits(g.lists, list)) && (len(g.recipients) == 0 || fits(g.recipients, domain)) {
			return g
		}
	}
	return nil
}

// whole is the group that takes all mail of a list's domain, nil where that depends on the
// recipient.
func (gs relayGroups) whole(list string) *relayGroup {
	for _, g := range gs {
		if len(g.lists) > 0 && !fits(g.lists, list) {
			continue
		}
		if len(g.recipients) > 0 {
			return nil
		}
		return g
	}
	return nil
}

// all is the group that takes all mail, nil where there is not just the one.
func (gs relayGroups) all() *relayGroup {
	if len(gs) == 1 && gs[0].length() == 0 {
		return gs[0]
	}
	return nil
}

// byWeight is hops in an order that is anew random each time, in which each is the first as often as
// its weight says.
func byWeight(hops []hop) []hop {
	if len(hops) < 2 || hops[0].weight == 0 {
		return hops
	}
	type drawn struct {
		hop
		at float64
	}
	draw := make([]drawn, len(hops))
	for i, h := range hops {
		draw[i] = drawn{h, rand.ExpFloat64() / float64(h.weight)}
	}
	slices.SortFunc(draw, func(a, b drawn) int { return cmp.Compare(a.at, b.at) })
	ordered := make([]hop, len(hops))
	for i, d := range draw {
		ordered[i] = d.hop
	}
	return ordered
}

// ParseRelay reads smtp://[user:password@]host[:port], encrypted by STARTTLS where it is offered, or
// smtps://, encrypted from the start; lmtp://, the same by LMTP, or lmtp+unix:/path. The ports default
// to 25, 465 and 24. https://[user:password@]host[:port]/path, or http://, is where copies are posted.
func ParseRelay(s string) (*Relay, error) {
	u, err := url.Parse(s)
	if err != nil { // its text would show the password
		return nil, ErrRelay
	}
	if u.Scheme == "lmtp+unix" {
		return socketRelay(u)
	}
	r := &Relay{}
	port := u.Port()
	switch u.Scheme {
	case "http", "https":
		return webRelay(u)
	case "smtp":
		r.TLS = smtpclient.TLSOpportunistic
		port = orDefault(port, "25")
	case "smtps":
		r.TLS = smtpclient.TLSImplicit
		port = orDefault(port, "465")
	case "lmtp":
		r.LMTP, r.TLS = true, smtpclient.TLSOpportunistic
		if port = orDefault(port, "24"); port == "25" {
			return nil, ErrLMTPPort
		}
	default:
		return nil, fmt.Errorf("scheme %q: %w", u.Scheme, ErrRelay)
	}
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), ErrRelay)
	}
	r.Addr = net.JoinHostPort(u.Hostname(), port)
	if u.User != nil {
		password, _ := u.User.Password()
		r.Auth = &smtpclient.Auth{User: u.User.Username(), Password: password}
	}
	return r, nil
}

// webRelay reads http:// and https://.
func webRelay(u *url.URL) (*Relay, error) {
	if u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return nil, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, ErrRelay) // in the rest may be what is secret
	}
	r, port := &Relay{TLS: smtpclient.TLSImplicit}, "443"
	if u.Scheme == "http" {
		r.TLS, port = smtpclient.TLSOpportunistic, "80"
	}
	r.Addr = net.JoinHostPort(u.Hostname(), orDefault(u.Port(), port))
	if u.User != nil {
		password, _ := u.User.Password()
		r.Auth = &smtpclient.Auth{User: u.User.Username(), Password: password}
	}
	bare := *u
	bare.User = nil
	r.URL = &bare
	return r, r.CheckToken()
}

// ErrToken is a bearer token for who cannot be given one, and ErrPlainHTTP a password or a token that
// would go to another machine in clear.
var (
	ErrToken     = errors.New("a token is for a relay by http:// or https:// without a password, and is printable ASCII without spaces")
	ErrPlainHTTP = errors.New("a password or token goes to another machine by https:// only")
)

// CheckToken says what is wrong with the Token, or with Auth where it goes by HTTP.
func (r *Relay) CheckToken() error {
	odd := strings.ContainsFunc(r.Token, func(c rune) bool { return c <= ' ' || c > '~' })
	switch {
	case r.Token != "" && (r.URL == nil || r.Auth != nil || odd):
		return ErrToken
	case r.URL == nil || r.URL.Scheme == "https" || r.Token == "" && r.Auth == nil:
		return nil
	}
	ip, err := netip.ParseAddr(r.URL.Hostname())
	if r.URL.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return ErrPlainHTTP
}

// endpoint is where a relay takes copies by HTTP, nil for others.
func (r *Relay) endpoint() *endpoint {
	if r.URL == nil {
		return nil
	}
	e := &endpoint{url: r.URL}
	switch {
	case r.Token != "":
		e.authorization = "Bearer " + r.Token
	case r.Auth != nil:
		e.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(r.Auth.User+":"+r.Auth.Password)) // RFC 7617 §2
	}
	return e
}

// socketRelay reads lmtp+unix:/path.
func socketRelay(u *url.URL) (*Relay, error) {
	if u.Host != "" || u.User != nil || len(u.Path) < 2 || u.Path[0] != '/' || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), ErrRelay)
	}
	return &Relay{Addr: u.Path, LMTP: true, TLS: smtpclient.TLSNone}, nil
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
