package fanout

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"muster/smtp/smtpclient"
)

// DANE (RFC 7672): a host says in the signed DNS which certificate it has. TLS is required there then,
// and it is the DNS that vouches for the certificate, in place of an authority. What the DNS does not
// want to tell is never taken for a no.

// errTLSA is a host that must not be sent to now: its TLSA records (RFC 6698) say no, or cannot be had.
var errTLSA = errors.New("DANE")

// errMisnamed is a certificate of the right authority that has none of the names it may have.
var errMisnamed = errors.New("the certificate is for another name")

// Certificate usages that mail between servers has use for. The two others ask for authorities that all
// would agree on (RFC 7672 §3.1.3).
const (
	usageTA = 2 // an authority's
	usageEE = 3 // the server's own
)

// pins are the TLSA records of a host.
type pins struct {
	base  string   // the name they were found under: for SNI, and on a certificate from an authority
	names []string // that this may have in place of it: those of the domain (RFC 7672 §3.2.2)
	// records are those that can be used. None: TLS is required, whatever the certificate (RFC 7672 §2.2).
	records []*dns.TLSA
}

// newPins leaves out what cannot be used, and of digests of the same thing all but the strongest
// (RFC 7671 §9).
func newPins(base string, found []*dns.TLSA) *pins {
	p := &pins{base: base}
	type thing struct{ usage, selector uint8 }
	strongest := map[thing]uint8{}
	for _, r := range found {
		if isUsable(r) {
			of := thing{r.Usage, r.Selector}
			strongest[of] = max(strongest[of], r.MatchingType)
		}
	}
	for _, r := range found {
		if isUsable(r) && (r.MatchingType == 0 || r.MatchingType == strongest[thing{r.Usage, r.Selector}]) {
			p.records = append(p.records, r)
		}
	}
	return p
}

func isUsable(r *dns.TLSA) bool {
	if r.Usage != usageTA && r.Usage != usageEE || r.Selector > 1 {
		return false
	}
	data, err := hex.DecodeString(r.Certificate)
	if err != nil {
		return false
	}
	switch r.MatchingType {
	case 0:
		if r.Selector == 0 {
			_, err = x509.ParseCertificate(data)
		} else {
			_, err = x509.ParsePKIXPublicKey(data)
		}
		return err == nil
	case 1:
		return len(data) == 32 // SHA-256
	case 2:
		return len(data) == 64 // SHA-512
	}
	return false
}

// usable says whether there are pins and a certificate can be held against them.
func (p *pins) usable() bool { return p != nil && len(p.records) > 0 }

// verify says what is wrong with a server's certificate.
func (p *pins) verify(state tls.ConnectionState) error {
	chain := state.PeerCertificates
	for _, r := range p.records {
		if r.Usage == usageEE && fitsRecord(r, chain[0]) { // neither name nor date matters (RFC 7672 §3.1.1)
			return nil
		}
	}
	anchors := p.anchors(chain)
	if len(anchors) == 0 {
		key := sha256.Sum256(chain[0].RawSubjectPublicKeyInfo)
		return fmt.Errorf("%w: the certificate (key %x, SHA-256) is none that the TLSA records of %s allow", errTLSA, key, p.base)
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	for _, c := range anchors {
		o.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(o); err != nil {
		return fmt.Errorf("%w: the certificate does not hold under the TLSA records of %s: %w", errTLSA, p.base, err)
	}
	names := append([]string{p.base}, p.names...)
	for _, name := range names {
		if chain[0].VerifyHostname(name) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w than %s", errTLSA, errMisnamed, strings.Join(names, " or "))
}

// anchors are the certificates that the records of authorities mean: of those the server sent, whose first
// is its own, and of those that are whole in the DNS (RFC 7671 §5.2).
func (p *pins) anchors(chain []*x509.Certificate) []*x509.Certificate {
	var found []*x509.Certificate
	for _, r := range p.records {
		if r.Usage != usageTA {
			continue
		}
		for _, c := range chain[1:] {
			if fitsRecord(r, c) {
				found = append(found, c)
			}
		}
		if r.MatchingType == 0 {
			found = append(found, wholeAnchors(r, chain)...)
		}
	}
	return found
}

// wholeAnchors are those of a record that has all of a certificate, or of a key: with a key alone, it is
// the certificates that it signed.
func wholeAnchors(r *dns.TLSA, chain []*x509.Certificate) []*x509.Certificate {
	data, err := hex.DecodeString(r.Certificate)
	if err != nil {
		return nil
	}
	if r.Selector == 0 {
		c, err := x509.ParseCertificate(data)
		if err != nil {
			return nil
		}
		return []*x509.Certificate{c}
	}
	key, err := x509.ParsePKIXPublicKey(data)
	if err != nil {
		return nil
	}
	signer := x509.Certificate{PublicKey: key}
	var found []*x509.Certificate
	for _, c := range chain {
		if signer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			found = append(found, c)
		}
	}
	return found
}

func fitsRecord(r *dns.TLSA, c *x509.Certificate) bool {
	data, err := dns.CertificateToDANE(r.Selector, r.MatchingType, c)
	return err == nil && strings.EqualFold(data, r.Certificate)
}

// protect makes a connection keep to the pins of its hop.
func (h *hop) protect(o *smtpclient.Options) {
	if h.tls != smtpclient.TLSRequired && h.tls != smtpclient.TLSImplicit || !h.pins.usable() {
		return
	}
	o.ServerName = h.pins.base // RFC 7672 §3.2.2 has it in SNI
	o.Verify = h.pins.verify
}

// host is what the DNS says of an exchanger.
type host struct {
	addrs []netip.Addr
	pins  *pins
}

// host looks up an exchanger, and its pins where they count.
func (r *router) host(ctx context.Context, name string, w way) (h host, err error) {
	if r.dane == nil || !w.pinned {
		if h.addrs, err = r.resolver.Addrs(ctx, name); err != nil {
			err = fmt.Errorf("addresses of %s: %w", name, err)
		}
		return h, err
	}
	addrs, bases, err := r.dane.signedAddrs(ctx, name)
	if err != nil {
		return h, fmt.Errorf("addresses of %s: %w", name, err)
	}
	h.addrs = addrs
	if h.pins, err = r.pins(ctx, "25", bases); h.pins != nil {
		h.pins.names = w.names
	}
	return h, err
}

// pins are those of what listens on a port of a host with these names; nil where there are none.
func (r *router) pins(ctx context.Context, port string, bases []string) (*pins, error) {
	base, found, err := r.dane.tlsa(ctx, port, bases)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return newPins(base, found), nil
}

// relayed are the relays of a group, each held to what the signed DNS says of the name it was given by: that
// stands in the configuration where a signed MX does otherwise (RFC 7672 §2.2). One of which it cannot be
// known what the DNS says is left out.
func (r *router) relayed(ctx context.Context, g *relayGroup) ([]hop, error) {
	if r.dane == nil {
		return g.hops, nil
	}
	var hops []hop
	var last error
	for _, h := range g.hops {
		var err error
		if h.pins, err = r.relayPins(ctx, h); err != nil {
			last = err
			continue
		}
		hops = append(hops, h)
	}
	if len(hops) == 0 {
		return nil, last
	}
	return stsNone.demand(hops), nil
}

// relayPins are those of a relay: of a name in the DNS alone. What is called by HTTP has a certificate that
// authorities vouch for.
func (r *router) relayPins(ctx context.Context, h hop) (*pins, error) {
	name, port, err := net.SplitHostPort(h.addr)
	if err != nil || h.to != nil { // a socket, or HTTP
		return nil, nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil, nil
	}
	_, bases, err := r.dane.signedAddrs(ctx, name)
	if errors.Is(err, ErrNoDomain) { // one that only this machine knows
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("addresses of relay %s: %w", name, err)
	}
	found, err := r.pins(ctx, port, bases)
	if err != nil {
		return nil, fmt.Errorf("TLSA of relay %s: %w", name, err)
	}
	return found, nil
}

// pinned says of each exchanger whether a certificate can be held against pins of its own, and of all of
// them whether there is any that is, or may be, under DANE: one that cannot be looked up may.
func (r *router) pinned(ctx context.Context, exchangers []MX) (each map[string]bool, some bool, err error) {
	each = map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, mx := range exchangers[:min(len(exchangers), maxExchangers)] { // the others get no mail
		wg.Go(func() {
			h, err := r.host(ctx, mx.Host, way{pinned: true})
			mu.Lock()
			defer mu.Unlock()
			each[mx.Host] = h.pins.usable()
			some = some || h.pins != nil || err != nil && !errors.Is(err, ErrNoDomain)
		})
	}
	wg.Wait()
	return each, some, ctx.Err()
}
