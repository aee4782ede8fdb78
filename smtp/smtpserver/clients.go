package smtpserver

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// forgetAfter is how long a client without a connection is remembered.
	forgetAfter = 10 * time.Minute

	// maxClients bounds the memory of clients who are not connected: an attacker may own a large
	// network.
	maxClients = 1 << 16
)

// peer is what the server remembers of a client from one connection to the next.
type peer struct {
	sessions int // guarded by Server.mu

	mu        sync.Mutex
	seen      time.Time
	minute    time.Time // in which questions were counted
	questions int
	failures  int // wrong AUTH, forgotten forgetAfter the last one
	failed    time.Time
}

// clients are the peers by network; guarded by Server.mu.
type clients struct {
	peers map[netip.Prefix]*peer
	sweep time.Time // when to look for those to forget
}

func (c *clients) init() { c.peers = make(map[netip.Prefix]*peer) }

// get finds the peer that addr belongs to.
func (c *clients) get(addr netip.Addr) *peer {
	now := time.Now()
	c.forget(now)
	network := networkOf(addr)
	p := c.peers[network]
	if p == nil {
		p = &peer{}
		c.peers[network] = p
	}
	p.mu.Lock()
	p.seen = now
	p.mu.Unlock()
	return p
}

// networkOf is what counts as one client: an IPv4 address, or the /64 in which an IPv6 host may
// choose any address.
func networkOf(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits) // the zero Prefix stands for no address
	return network
}

// forget drops those who have not been here for a while, now and then, and at once whoever is not
// connected when there are too many.
func (c *clients) forget(now time.Time) {
	full := len(c.peers) >= maxClients
	if !full && now.Before(c.sweep) {
		return
	}
	c.sweep = now.Add(forgetAfter)
	for network, p := range c.peers {
		if p.sessions == 0 && (full || p.idleSince(now) > forgetAfter) {
			delete(c.peers, network)
		}
	}
}

func (p *peer) idleSince(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.seen)
}

// mayAsk counts a question and says whether it is within the limit for this minute.
func (p *peer) mayAsk(limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.minute) >= time.Minute {
		p.minute, p.questions = now, 0
	}
	p.questions++
	return p.questions <= limit
}

// authFailed counts a wrong AUTH. A right one forgives nothing: an attacker may own an account.
func (p *peer) authFailed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures++
	p.failed = time.Now()
	p.seen = p.failed
}

// authFailures is how many wrong AUTH there were lately.
func (p *peer) authFailures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.failed) > forgetAfter {
		p.failures = 0
	}
	return p.failures
}
