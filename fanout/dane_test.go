package fanout

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"muster/smtp/smtpclient"
	"muster/smtp/smtptest"
)

// authority signs certificates; made without a parent it signs its own.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	c := a.issue(true, time.Now().Add(time.Hour), "An Authority")
	a.cert, a.key = c.Leaf, c.PrivateKey.(crypto.Signer)
	return a
}

// issue makes a certificate for names that holds until a moment, with the authority's own behind it.
func (a *authority) issue(isCA bool, until time.Time, names ...string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		BasicConstraintsValid: true, IsCA: isCA, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if !isCA {
		template.DNSNames = names
	}
	parent, signer := template, crypto.Signer(key)
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	c := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if a.cert != nil {
		c.Certificate = append(c.Certificate, a.cert.Raw)
	}
	if c.Leaf, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	return c
}

// selfSigned is a certificate that no authority knows of.
func selfSigned(t *testing.T, until time.Time, name string) tls.Certificate {
	t.Helper()
	return (&authority{t: t}).issue(false, until, name)
}

// tlsa is a record of a host, written as in a zone.
func tlsa(t *testing.T, host string, usage, selector, matching uint8, c *x509.Certificate) string {
	t.Helper()
	data, err := dns.CertificateToDANE(selector, matching, c)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("_25._tcp.%s. 600 IN TLSA %d %d %d %s", host, usage, selector, matching, data)
}

// pinsOf are those that records make.
func pinsOf(t *testing.T, base string, records ...string) *pins {
	t.Helper()
	var found []*dns.TLSA
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r.(*dns.TLSA))
	}
	return newPins(base, found)
}

func stateOf(t *testing.T, c tls.Certificate) (s tls.ConnectionState) {
	t.Helper()
	for _, der := range c.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		s.PeerCertificates = append(s.PeerCertificates, parsed)
	}
	return s
}

func TestPins(t *testing.T) {
	t.Parallel()
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ca, otherCA := newAuthority(t), newAuthority(t)
	own, stale, other := selfSigned(t, later, "elsewhere.example"), selfSigned(t, before, "elsewhere.example"), selfSigned(t, later, "mx.example")
	issued, issuedStale := ca.issue(false, later, "mx.example"), ca.issue(false, before, "mx.example")
	forDomain, forOther, wild := ca.issue(false, later, "a.example"), ca.issue(false, later, "other.example"), ca.issue(false, later, "*.example")
	alone := tls.Certificate{Certificate: issued.Certificate[:1]}
	// Somebody's own, with the authority's certificate behind it for show.
	posing := tls.Certificate{Certificate: [][]byte{other.Certificate[0], ca.cert.Raw}}
	one := func(usage, selector, matching uint8, c *x509.Certificate) []string {
		return []string{tlsa(t, "mx.example", usage, selector, matching, c)}
	}
	for _, tt := range []struct {
		name    string
		records []string
		server  tls.Certificate
		want    error
	}{
		{"the server's whole certificate", one(3, 0, 0, own.Leaf), own, nil},
		{"its digest", one(3, 0, 1, own.Leaf), own, nil},
		{"its key's digest", one(3, 1, 1, own.Leaf), own, nil},
		{"its key's longer digest", one(3, 1, 2, own.Leaf), own, nil},
		{"its whole key", one(3, 1, 0, own.Leaf), own, nil},
		{"one that has expired", one(3, 1, 1, stale.Leaf), stale, nil},
		{"another's key", one(3, 1, 1, other.Leaf), own, errTLSA},
		{"one of two", append(one(3, 1, 1, other.Leaf), one(3, 1, 1, own.Leaf)...), own, nil},
		{"the stronger digest counts", append(one(3, 1, 1, own.Leaf), one(3, 1, 2, other.Leaf)...), own, errTLSA},
		{"the authority's as the server's", one(3, 1, 1, ca.cert), issued, errTLSA},
		{"an authority", one(2, 0, 1, ca.cert), issued, nil},
		{"an authority's key", one(2, 1, 2, ca.cert), issued, nil},
		{"another authority", one(2, 0, 1, otherCA.cert), issued, errTLSA},
		{"an authority, and expired", one(2, 0, 1, ca.cert), issuedStale, errTLSA},
		{"an authority, and the domain's name", one(2, 0, 1, ca.cert), forDomain, nil},
		{"an authority, and another name", one(2, 0, 1, ca.cert), forOther, errMisnamed},
		{"an authority, and a wildcard", one(2, 0, 1, ca.cert), wild, nil},
		{"an authority that did not sign", one(2, 0, 1, ca.cert), posing, errTLSA},
		{"an authority not sent", one(2, 0, 1, ca.cert), alone, errTLSA},
		{"an authority not sent, whole in the DNS", one(2, 0, 0, ca.cert), alone, nil},
		{"an authority's whole key", one(2, 1, 0, ca.cert), alone, nil},
		{"another's whole key", one(2, 1, 0, otherCA.cert), alone, errTLSA},
		{"the server's own as an authority", one(2, 0, 1, other.Leaf), other, errTLSA},
	} {
		p := pinsOf(t, "mx.example", tt.records...)
		p.names = []string{"a.example", "alias.example"}
		if err := p.verify(stateOf(t, tt.server)); !p.usable() || !errors.Is(err, tt.want) || tt.want != nil && !errors.Is(err, errTLSA) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	for _, data := range []string{
		"0 1 1 " + strings.Repeat("ab", 32), "1 1 1 " + strings.Repeat("ab", 32), "4 1 1 " + strings.Repeat("ab", 32), "3 2 1 " + strings.Repeat("ab", 32),
		"3 1 3 " + strings.Repeat("ab", 32), "3 1 1 abcd", "3 1 2 " + strings.Repeat("ab", 32), "3 0 0 abcd", "2 1 0 " + hex.EncodeToString(own.Certificate[0]),
	} {
		if p := pinsOf(t, "mx.example", "_25._tcp.mx.example. 600 IN TLSA "+data); p.usable() {
			t.Errorf("%.20s can be used", data)
		}
	}
	if (*pins)(nil).usable() {
		t.Error("none can be used")
	}
}

// signZone has a zone answer some questions as signed, to a resolver that believes it.
func signZone(z *zone, d *DNS, keys ...string) {
	d.Validates = true
	z.mu.Lock()
	defer z.mu.Unlock()
	z.signed = map[string]bool{}
	for _, key := range keys {
		z.signed[key] = true
	}
}

// Where TLSA records are looked for: at the end of signed aliases and at their beginning, at a signed alias
// of what is not, nowhere else; and only where the name servers are to be believed.
func TestWhereRecordsAre(t *testing.T) {
	t.Parallel()
	records := map[string][]string{"broken.example. CNAME": {"SERVFAIL"}, "broken.example. A": {"broken.example. 60 IN CNAME plain.example.", "plain.example. 60 IN A 192.0.2.1"}}
	for _, name := range []string{"signed", "plain", "half"} {
		records[name+".example. A"] = []string{name + ".example. 60 IN A 192.0.2.1"}
	}
	records["half.example. AAAA"] = []string{"half.example. 60 IN AAAA 2001:db8::1"}
	for _, name := range []string{"alias", "into", "loose"} {
		cname := name + ".example. 60 IN CNAME to." + name + ".example."
		records[name+".example. CNAME"] = []string{cname}
		records[name+".example. A"] = []string{cname, "to." + name + ".example. 60 IN A 192.0.2.1"}
	}
	signed := []string{"signed.example. A", "half.example. A", "alias.example. A", "alias.example. CNAME", "into.example. CNAME"}
	z, d := newZone(t, records)
	signZone(z, d, signed...)
	for host, want := range map[string][]string{
		"Signed.example": {"signed.example"}, "plain.example": nil, "half.example": nil, "alias.example": {"to.alias.example", "alias.example"},
		"into.example": {"into.example"}, "loose.example": nil, "empty.example": nil,
	} {
		if _, bases, err := d.signedAddrs(t.Context(), host); err != nil || !slices.Equal(bases, want) {
			t.Errorf("%s: %v, %v, want %v", host, bases, err, want)
		}
	}
	if _, bases, err := d.signedAddrs(t.Context(), "broken.example"); err == nil {
		t.Errorf("an alias of which nothing is known: %v", bases)
	}
	z, d = newZone(t, records)
	signZone(z, d, signed...)
	z.mu.Lock()
	d.Validates, z.pushy = false, true
	z.mu.Unlock()
	if _, bases, err := d.signedAddrs(t.Context(), "signed.example"); err != nil || bases != nil {
		t.Errorf("a name server that is not to be believed: %v, %v", bases, err)
	}
}

func TestTLSALookUp(t *testing.T) {
	t.Parallel()
	record := func(base string) []string {
		return []string{"_25._tcp." + base + ". 60 IN TLSA 3 1 1 " + strings.Repeat("ab", 32)}
	}
	records := map[string][]string{
		"_25._tcp.none.example. TLSA": {"NXDOMAIN"}, "_25._tcp.broken.example. TLSA": {"SERVFAIL"}, "_25._tcp.refused.example. TLSA": {"REFUSED"},
		"_25._tcp.alias.example. TLSA": append([]string{"_25._tcp.alias.example. 60 IN CNAME _25._tcp.good.example."}, record("good.example")...),
	}
	for _, base := range []string{"good.example", "loose.example"} {
		records["_25._tcp."+base+". TLSA"] = record(base)
	}
	z, d := newZone(t, records)
	signZone(z, d, "_25._tcp.good.example. TLSA", "_25._tcp.alias.example. TLSA")
	for bases, want := range map[string]string{
		"good.example": "good.example", "none.example good.example": "good.example", "empty.example good.example": "good.example",
		"loose.example": "", "none.example": "", "": "", "alias.example": "alias.example",
	} {
		base, found, err := d.tlsa(t.Context(), "25", strings.Fields(bases))
		if err != nil || base != want || len(found) != len(strings.Fields(want)) {
			t.Errorf("%s: %s, %v, %v", bases, base, found, err)
		}
	}
	for _, bases := range []string{"broken.example", "none.example refused.example", "broken.example good.example"} {
		if base, found, err := d.tlsa(t.Context(), "25", strings.Fields(bases)); !errors.Is(err, errTLSA) || len(found) > 0 {
			t.Errorf("%s: %s, %v, %v", bases, base, found, err)
		}
	}
	if n := z.count("_25._tcp.good.example. TLSA"); n != 1 {
		t.Errorf("asked %d times for what is kept", n)
	}
}

// danger is a DNS whose domains have one MX host each, mx. and the domain, and servers behind them.
type danger struct {
	t       *testing.T
	records map[string][]string
	signed  []string
	at      map[string]string // address of a server, by that of its host
}

// domain adds one whose MX answer and addresses are signed, and its host's records.
func (n *danger) domain(domain string, server *smtptest.Server, records ...string) {
	host := "mx." + domain
	n.hosted(domain, host, true)
	n.host(host, server, records...)
}

// hosted adds a domain at a host.
func (n *danger) hosted(domain, host string, signed bool) {
	key := domain + ". MX"
	n.records[key] = []string{domain + ". 600 IN MX 10 " + host + "."}
	if signed {
		n.signed = append(n.signed, key)
	}
}

func (n *danger) host(host string, server *smtptest.Server, records ...string) {
	ip := fmt.Sprintf("192.0.2.%d", len(n.at)+1)
	n.at[ip] = server.Addr()
	n.records[host+". A"] = []string{host + ". 600 IN A " + ip}
	n.records["_25._tcp."+host+". TLSA"] = records
	n.signed = append(n.signed, host+". A", "_25._tcp."+host+". TLSA")
}

// config sends by these.
func (n *danger) config(w *world) (Config, *zone) {
	z, d := newZone(n.t, n.records)
	signZone(z, d, n.signed...)
	c := w.config(nil)
	quick(&c)
	c.Resolver, c.DialContext = d, dialServers(n.at)
	return c, z
}

func newDanger(t *testing.T) *danger {
	return &danger{t: t, records: map[string][]string{}, at: map[string]string{}}
}

// heldBack counts the domain's copies that wait, with a status and words among what is kept of why.
func (w *world) heldBack(domain, status, words string) int {
	return w.count(`SELECT count(*) FROM delivery d JOIN member m ON m.id = d.member
		WHERE m.domain = $1 AND d.state = 'deferred' AND d.status = $2 AND d.reply LIKE '%' || $3 || '%'`, domain, status, words)
}

// Each domain is at a server of its own, and gets its copy or does not by what the DNS says of it.
func TestDANE(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	n := newDanger(t)
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	ca := newAuthority(t)
	wrong := selfSigned(t, later, "wrong.example")
	// What comes of a copy: "tls" or "clear", or the status and words it waits with.
	type outcome struct{ way, words string }
	want := map[string]outcome{}
	servers := map[string]*smtptest.Server{}
	add := func(domain string, c *tls.Certificate, o outcome, records ...string) {
		server := smtptest.NewServer(t)
		if c != nil {
			server = smtptest.NewServer(t, smtptest.Certificate(*c))
		}
		w.member(list, "m@"+domain)
		n.domain(domain, server, records...)
		want[domain], servers[domain] = o, server
	}
	self, issued, expired := selfSigned(t, later, "other.example"), ca.issue(false, later, "mx.ta.example"), selfSigned(t, before, "x")
	add("ee.example", &self, outcome{"tls", ""}, tlsa(t, "mx.ee.example", 3, 1, 1, self.Leaf))
	add("expired.example", &expired, outcome{"tls", ""}, tlsa(t, "mx.expired.example", 3, 0, 1, expired.Leaf))
	add("ta.example", &issued, outcome{"tls", ""}, tlsa(t, "mx.ta.example", 2, 0, 1, ca.cert))
	add("wrong.example", &self, outcome{"4.7.5", "is none that the TLSA records of mx.wrong.example allow"}, tlsa(t, "mx.wrong.example", 3, 1, 1, wrong.Leaf))
	add("misnamed.example", &issued, outcome{"4.7.5", "for another name than mx.misnamed.example or misnamed.example"}, tlsa(t, "mx.misnamed.example", 2, 0, 1, ca.cert))
	add("unusable.example", &self, outcome{"tls", ""}, tlsa(t, "mx.unusable.example", 1, 1, 1, wrong.Leaf))
	add("nowhere.example", nil, outcome{"4.7.4", "does not offer STARTTLS"}, tlsa(t, "mx.nowhere.example", 1, 1, 1, wrong.Leaf))
	add("clear.example", nil, outcome{"4.7.4", "does not offer STARTTLS"}, tlsa(t, "mx.clear.example", 3, 1, 1, self.Leaf))
	add("servfail.example", &self, outcome{"4.7.5", "mx.servfail.example: SERVFAIL"}, "SERVFAIL")
	add("none.example", nil, outcome{"clear", ""})
	add("loose.example", nil, outcome{"clear", ""}, tlsa(t, "mx.loose.example", 3, 1, 1, wrong.Leaf))
	add("foreign.example", nil, outcome{"clear", ""}, tlsa(t, "mx.foreign.example", 3, 1, 1, wrong.Leaf))
	unsigned := []string{"loose.example. MX", "mx.foreign.example. A"}
	n.signed = slices.DeleteFunc(n.signed, func(key string) bool { return slices.Contains(unsigned, key) })
	c, z := n.config(w)
	post := w.post(list, testMessage)
	e, _ := w.start(c)
	for domain, o := range want {
		m := "m@" + domain
		if o.words != "" {
			eventually(t, domain+" waits", func() bool { return w.heldBack(domain, o.way, o.words) == 1 })
			// The journal is saved when its shard is through.
			eventually(t, domain+" has a trace", func() bool {
				attempts, err := e.Trace(t.Context(), post, m)
				if err != nil {
					t.Fatal(err)
				}
				return len(attempts) > 0 && strings.Contains(attempts[0].Reply, o.words)
			})
			continue
		}
		eventually(t, domain+" is served", func() bool { return copiesTo(servers[domain], m) == 1 })
		if over := servers[domain].Messages()[0].TLS; over != (o.way == "tls") {
			t.Errorf("%s: encrypted %v", domain, over)
		}
	}
	for domain, o := range want {
		if n := servers[domain].Copies(); o.words != "" && n != 0 {
			t.Errorf("%s got %d copies", domain, n)
		}
	}
	for _, domain := range []string{"loose.example", "foreign.example"} {
		if z.count("_25._tcp.mx."+domain+". TLSA") != 0 {
			t.Errorf("records of %s were asked for, and nobody signs for it", domain)
		}
	}
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
	// What is mended is found.
	z.set("_25._tcp.mx.wrong.example. TLSA", tlsa(t, "mx.wrong.example", 3, 1, 1, self.Leaf))
	z.set("_25._tcp.mx.servfail.example. TLSA", tlsa(t, "mx.servfail.example", 3, 1, 1, self.Leaf))
	c.Resolver.(*DNS).cache.forget()
	for _, domain := range []string{"wrong.example", "servfail.example"} {
		eventually(t, domain+" is served", func() bool { return copiesTo(servers[domain], "m@"+domain) == 1 })
	}
}

// A relay is held to the TLSA records of its name and port as an MX host is, over TLS from the start too;
// one that must not be used is stood in for, and nothing goes out where there is no other.
func TestDANEOfRelays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later := time.Now().Add(time.Hour)
	self, wrong := selfSigned(t, later, "x"), selfSigned(t, later, "x")
	n := newDanger(t)
	const submissions = "465"
	servers := map[string]*smtptest.Server{}
	relay := func(host, port string, tls smtpclient.TLSPolicy, pinned *x509.Certificate, how ...smtptest.Option) Relay {
		servers[host] = smtptest.NewServer(t, how...)
		n.host(host, servers[host])
		n.at[host] = servers[host].Addr() // relays are connected to by name
		if pinned != nil {
			key := "_" + port + "._tcp." + host + ". TLSA"
			n.records[key] = []string{strings.Replace(tlsa(t, host, 3, 1, 1, pinned), "_25.", "_"+port+".", 1)}
			n.signed = append(n.signed, key)
		}
		domain := strings.TrimPrefix(host, "relay.")
		return Relay{Addr: host + ":" + port, TLS: tls, ForRecipientDomain: []string{domain}}
	}
	has := smtptest.Certificate(self)
	relays := []Relay{
		relay("relay.good.example", "587", smtpclient.TLSOpportunistic, self.Leaf, has),
		relay("relay.bad.example", "587", smtpclient.TLSOpportunistic, wrong.Leaf, has),
		relay("relay.clear.example", "587", smtpclient.TLSOpportunistic, self.Leaf),
		relay("relay.none.example", "587", smtpclient.TLSOpportunistic, nil),
		relay("relay.alone.example", "587", smtpclient.TLSOpportunistic, wrong.Leaf, has),
		relay("relay.implicit.example", submissions, smtpclient.TLSImplicit, self.Leaf, has, smtptest.ImplicitTLS()),
		relay("relay.false.example", submissions, smtpclient.TLSImplicit, wrong.Leaf, has, smtptest.ImplicitTLS()),
	}
	// It stands in for the one of them that is false.
	second := relay("relay.second.example", "587", smtpclient.TLSOpportunistic, self.Leaf, has)
	second.ForRecipientDomain = []string{"bad.example"}
	relays = append(relays, second)
	list := w.list("dev", 1)
	for _, domain := range []string{"good", "bad", "clear", "none", "alone", "implicit", "false"} {
		w.member(list, "m@"+domain+".example")
	}
	c, _ := n.config(w)
	c.Relays = relays
	w.post(list, testMessage)
	w.start(c)
	for host, who := range map[string]string{
		"relay.good.example": "good", "relay.none.example": "none", "relay.implicit.example": "implicit", "relay.second.example": "bad",
	} {
		eventually(t, host+" has its copy", func() bool { return copiesTo(servers[host], "m@"+who+".example") == 1 })
		if over := servers[host].Messages()[0].TLS; over != (who != "none") {
			t.Errorf("%s: encrypted %v", host, over)
		}
	}
	for domain, why := range map[string]string{
		"alone.example": "is none that the TLSA records of relay.alone.example allow", "clear.example": "does not offer STARTTLS",
		"false.example": "is none that the TLSA records of relay.false.example allow",
	} {
		eventually(t, domain+" waits", func() bool {
			return w.count(`SELECT count(*) FROM destination WHERE name = $1 AND failures > 0 AND reply LIKE '%' || $2 || '%'`, "relay to "+domain, why) == 1
		})
	}
	for _, host := range []string{"relay.bad.example", "relay.clear.example", "relay.alone.example", "relay.false.example"} {
		if got := servers[host].Copies(); got != 0 {
			t.Errorf("%s got %d copies", host, got)
		}
	}
}

// What cannot be looked up in the DNS of a relay's name: an address and a name that only this machine
// knows are under nobody's signature, and a DNS that fails may keep records from us.
func TestRelaysWithoutDANE(t *testing.T) {
	t.Parallel()
	z, d := newZone(t, map[string][]string{"broken.example. A": {"SERVFAIL"}})
	signZone(z, d)
	r := &router{dane: d}
	for addr, want := range map[string]bool{"192.0.2.1:25": true, "[2001:db8::1]:25": true, "/run/lmtp": true, "postfix:25": true, "broken.example:25": false} {
		g := newRelayGroups([]Relay{{Addr: addr, TLS: smtpclient.TLSOpportunistic}})[0]
		hops, err := r.relayed(t.Context(), g)
		if (err == nil) != want || want && (len(hops) != 1 || hops[0].pins != nil || hops[0].tls != smtpclient.TLSOpportunistic) {
			t.Errorf("%s: %v, %v", addr, hops, err)
		}
	}
}

// forget makes an answer's time pass.
func (c *answers) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.known)
}

// Of domains at the same host those whose own DNS is not signed get their mail as before, and none of the
// others' mail goes that way.
func TestSignedAndUnsignedAtOneHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	later := time.Now().Add(time.Hour)
	self, wrong := selfSigned(t, later, "x"), selfSigned(t, later, "x")
	provider := smtptest.NewServer(t, smtptest.Certificate(self))
	n := newDanger(t)
	n.host("mx.example", provider, tlsa(t, "mx.example", 3, 1, 1, wrong.Leaf))
	const domains = 6
	for i := range domains {
		domain := fmt.Sprintf("d%d.example", i)
		n.hosted(domain, "mx.example", i%2 == 0)
		w.member(list, "m@"+domain)
	}
	c, _ := n.config(w)
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "the unsigned are served", func() bool { return provider.Copies() == domains/2 })
	for i := range domains {
		domain := fmt.Sprintf("d%d.example", i)
		if i%2 == 0 {
			eventually(t, domain+" waits", func() bool { return w.heldBack(domain, "4.7.5", "TLSA") == 1 })
		} else if copiesTo(provider, "m@"+domain) != 1 {
			t.Errorf("%s was not served", domain)
		}
	}
	if n := provider.Copies(); n != domains/2 {
		t.Errorf("%d copies", n)
	}
}

// Domains at one host share a lane under DANE too. Where its certificate from an authority is for the name
// of one of them, that one gets its mail, and no mail of the others goes by it.
func TestCertificateWithTheNameOfADomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	ca := newAuthority(t)
	provider := smtptest.NewServer(t, smtptest.Certificate(ca.issue(false, time.Now().Add(time.Hour), "named.example")))
	n := newDanger(t)
	n.host("mx.example", provider, tlsa(t, "mx.example", 2, 0, 1, ca.cert))
	for _, domain := range []string{"named.example", "other.example"} {
		n.hosted(domain, "mx.example", true)
		w.member(list, "m@"+domain)
	}
	c, _ := n.config(w)
	tr := New(w.pool, c).traffic(1, nil, &beat{living: new(atomic.Int64)}, c.Resolver)
	tr.soft, tr.hard = t.Context(), t.Context()
	named, other := tr.meet(t.Context(), "", "named.example"), tr.meet(t.Context(), "", "other.example")
	if named != other || named.name != "mxset:mx.example under DANE" {
		t.Errorf("lanes %s, %s", named.name, other.name)
	}
	w.post(list, testMessage)
	w.start(c)
	eventually(t, "the domain with the name is served", func() bool { return copiesTo(provider, "m@named.example") == 1 })
	eventually(t, "the other one waits", func() bool {
		return w.heldBack("other.example", "4.7.5", "for another name than mx.example or other.example") == 1
	})
	if provider.Copies() != 1 {
		t.Errorf("%d copies", provider.Copies())
	}
}

// A domain with both is held to its TLSA records, whatever its policy says of the host and however little
// authorities know of its certificate; of its hosts without such records, to the policy.
func TestDANEBeforeMTASTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.list("dev", 1)
	later := time.Now().Add(time.Hour)
	self, wrong := selfSigned(t, later, "x"), selfSigned(t, later, "x")
	n := newDanger(t)
	want := map[string]string{"both.example": "", "bad.example": "TLSA records", "unusable.example": "certificate", "policy.example": "certificate"}
	servers := map[string]*smtptest.Server{}
	for domain := range want {
		server := smtptest.NewServer(t, smtptest.Certificate(self))
		servers[domain] = server
		host := "mx." + domain
		records := map[string][]string{
			"both.example": {tlsa(t, host, 3, 1, 1, self.Leaf)}, "bad.example": {tlsa(t, host, 3, 1, 1, wrong.Leaf)},
			"unusable.example": {tlsa(t, host, 0, 1, 1, self.Leaf)},
		}
		n.domain(domain, server, records[domain]...)
		key := "_mta-sts." + domain + ". TXT"
		n.records[key] = []string{`_mta-sts.` + domain + `. 60 IN TXT "v=STSv1; id=1"`}
		w.member(list, "m@"+domain)
	}
	c, _ := n.config(w)
	c.Policies = &http.Client{Transport: web(func(r *http.Request) (*http.Response, error) {
		mx := "mx." + strings.TrimPrefix(r.URL.Host, "mta-sts.")
		if strings.HasSuffix(mx, "both.example") {
			mx = "elsewhere.example"
		}
		return page(200, "text/plain", "version: STSv1\nmax_age: 600\nmode: enforce\nmx: "+mx+"\n"), nil
	})}
	w.post(list, testMessage)
	w.start(c)
	for domain, words := range want {
		if words == "" {
			eventually(t, domain+" is served", func() bool { return servers[domain].Copies() == 1 })
			continue
		}
		eventually(t, domain+" waits", func() bool { return w.heldBack(domain, "4.7.5", words) == 1 })
		if servers[domain].Copies() != 0 {
			t.Errorf("%s got a copy", domain)
		}
	}
}

// A shard of a domain with many members waits as a whole, and its copies' trace says for what.
func TestTraceOfAShardHeldBack(t *testing.T) {
	t.Parallel()
	const members = 300
	w := newWorld(t)
	list := w.list("dev", 0)
	w.members(list, members, 1)
	n := newDanger(t)
	self, wrong := selfSigned(t, time.Now().Add(time.Hour), "x"), selfSigned(t, time.Now().Add(time.Hour), "x")
	server := smtptest.NewServer(t, smtptest.Certificate(self))
	n.domain("d0.example", server, tlsa(t, "mx.d0.example", 3, 1, 1, wrong.Leaf))
	c, z := n.config(w)
	post := w.post(list, testMessage)
	e, _ := w.start(c)
	trace := func() (Wait, int) {
		waits, err := e.Waits(t.Context(), post, "m000007@d0.example")
		if err != nil || len(waits) == 0 {
			return Wait{}, 0
		}
		return waits[0], len(waits)
	}
	eventually(t, "the trace says why", func() bool {
		wait, n := trace()
		return n == 1 && wait.Destination == "mx:d0.example" && strings.Contains(wait.Reply, "none that the TLSA records of mx.d0.example allow")
	})
	if server.Copies() != 0 {
		t.Errorf("%d copies", server.Copies())
	}
	z.set("_25._tcp.mx.d0.example. TLSA", tlsa(t, "mx.d0.example", 3, 1, 1, self.Leaf))
	c.Resolver.(*DNS).cache.forget()
	w.finished()
	if _, n := trace(); n != 0 || server.Copies() != members {
		t.Errorf("%d waits, %d copies", n, server.Copies())
	}
}

// What is set about encryption beside what the DNS says.
func TestEncryptionUnderDANE(t *testing.T) {
	t.Parallel()
	self, wrong := selfSigned(t, time.Now().Add(time.Hour), "x"), selfSigned(t, time.Now().Add(time.Hour), "x")
	n := newDanger(t)
	good, clear := smtptest.NewServer(t, smtptest.Certificate(self)), smtptest.NewServer(t)
	n.domain("good.example", good, tlsa(t, "mx.good.example", 3, 1, 1, self.Leaf))
	n.domain("bad.example", good, tlsa(t, "mx.bad.example", 3, 1, 1, wrong.Leaf))
	n.domain("servfail.example", clear, "SERVFAIL")
	n.domain("clear.example", clear, tlsa(t, "mx.clear.example", 3, 1, 1, wrong.Leaf))
	w := &world{t: t}
	for _, tt := range []struct {
		all, rule Encryption
		served    string
	}{
		{"", "", "good.example"}, {Require, "", "good.example"}, {Verify, "", "good.example"},
		{"", Clear, "good.example bad.example servfail.example clear.example"}, {Clear, "", "good.example bad.example servfail.example clear.example"},
	} {
		c, z := n.config(w)
		c.Encryption, c.Rules = tt.all, []Rule{{Match: []string{"*"}, TLS: tt.rule}}
		c.Log = slog.New(slog.DiscardHandler)
		tr := New(nil, c).traffic(1, nil, &beat{living: new(atomic.Int64)}, c.Resolver)
		tr.soft, tr.hard = t.Context(), t.Context()
		for _, domain := range []string{"good.example", "bad.example", "servfail.example", "clear.example"} {
			k, err := tr.open(t.Context(), tr.meet(t.Context(), "", domain))
			if (err == nil) != slices.Contains(strings.Fields(tt.served), domain) {
				t.Errorf("%q, by rule %q: %s: %v", tt.all, tt.rule, domain, err)
			}
			var failed *smtpclient.Error
			if err != nil && !errors.Is(err, errTLSA) && (!errors.As(err, &failed) || failed.Stage != smtpclient.StageTLS) {
				t.Errorf("%s: %v", domain, err)
			}
			if err == nil {
				k.abort()
			}
		}
		if n := z.count("_25._tcp.mx.good.example. TLSA"); tt.all == Clear && n != 0 {
			t.Errorf("asked %d times for nothing", n)
		}
	}
}
