package fanout

import (
	"errors"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// How long answers are kept, whatever their TTL says: a TTL of nothing would ask for each copy, one
// of a year would outlive every change.
const (
	minTTL      = 30 * time.Second
	maxTTL      = time.Hour
	minNegative = 15 * time.Second
	maxNegative = 5 * time.Minute // RFC 2308 §5 lets it be hours: nobody waits that long for a repair
	failureTTL  = 5 * time.Second // RFC 9520 §3.2
	// maxAnswers bounds the cache: who subscribes addresses of a million domains gets no more of it.
	maxAnswers = 10000
	// maxAnswerOctets does so where answers are long: a TXT record may have 64 KiB.
	maxAnswerOctets = 16 << 20
)

type question struct {
	name string
	kind uint16
}

// dnsAnswer is what was found, or why nothing was.
type dnsAnswer struct {
	records []dns.RR
	end     string // the name that has the records: where CNAME records lead
	signed  bool   // all of it, those CNAME records too
	err     error
	until   time.Time
	size    int // octets, about
}

// answers is a cache of bounded size. The zero value is empty and ready.
type answers struct {
	mu     sync.Mutex
	known  map[question]dnsAnswer
	octets int
}

func (c *answers) get(q question) (dnsAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.known[q]
	return a, ok && time.Now().Before(a.until)
}

func (c *answers) put(q question, a dnsAnswer, ttl time.Duration) {
	a.until, a.size = time.Now().Add(ttl), sizeOf(a.records)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[question]dnsAnswer{}
	}
	if len(c.known) >= maxAnswers {
		thin(c.known, func(a dnsAnswer) time.Time { return a.until })
		c.octets = 0
		for _, a := range c.known {
			c.octets += a.size
		}
	}
	c.octets += a.size - c.known[q].size
	c.known[q] = a
	for q, a := range c.known { // whatever comes first
		if c.octets <= maxAnswerOctets {
			return
		}
		c.octets -= a.size
		delete(c.known, q)
	}
}

func sizeOf(records []dns.RR) int {
	n := 0
	for _, r := range records {
		n += dns.Len(r)
	}
	return n
}

// thin drops what is stale, and where that is little, whatever comes first, to a tenth of room.
func thin[K comparable, V any](known map[K]V, until func(V) time.Time) {
	now := time.Now()
	for key, v := range known {
		if !now.Before(until(v)) {
			delete(known, key)
		}
	}
	for key := range known {
		if len(known) <= maxAnswers*9/10 {
			return
		}
		delete(known, key)
	}
}

// ttlOf is how long a reply may be kept.
func ttlOf(reply *dns.Msg, found []dns.RR) time.Duration {
	if len(found) == 0 { // RFC 2308 §5: the lesser of the SOA's TTL and its minimum
		ttl := minNegative
		for _, r := range reply.Ns {
			if soa, ok := r.(*dns.SOA); ok {
				ttl = time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
			}
		}
		return min(max(ttl, minNegative), maxNegative)
	}
	least := uint32(maxTTL / time.Second)
	for _, r := range reply.Answer { // the aliases on the way count too
		least = min(least, r.Header().Ttl)
	}
	return max(time.Duration(least)*time.Second, minTTL)
}

// maxAliases bounds a chain of CNAME records.
const maxAliases = 8

// errAliases is a chain of CNAME records that leads nowhere: temporary, for somebody has to mend it.
var errAliases = errors.New("its CNAME records lead in a circle, or too far")

// follow goes from a name along the CNAME records of an answer and picks the records of a kind at
// its end. What the answer says of other names is not listened to.
func follow(records []dns.RR, name string, kind uint16) (found []dns.RR, at string, err error) {
	at = dns.CanonicalName(name)
	for range maxAliases {
		found = nil
		next := ""
		for _, r := range records {
			if dns.CanonicalName(r.Header().Name) != at {
				continue
			}
			if r.Header().Rrtype == kind {
				found = append(found, r)
			} else if alias, ok := r.(*dns.CNAME); ok {
				next = dns.CanonicalName(alias.Target)
			}
		}
		if len(found) > 0 || next == "" {
			return found, at, nil
		}
		at = next
	}
	return nil, at, errAliases
}
