package mailauth

import (
	"context"
	"io"
	"net/netip"
	"sync"
	"time"

	"muster/smtp"
)

// Mail is a message as it came, with what is known of how it came.
type Mail struct {
	Client netip.Addr   // who brought it; invalid for a unix socket
	Hello  string       // the name it gave
	From   smtp.Address // reverse-path, zero for null
	Author smtp.Address // of From; zero where there is not exactly one
	Size   int64        // octets
	Header []byte       // up to and with the empty line
	Body   func() (io.ReadCloser, error)
}

// Checker judges messages. The zero value but for DNS works. It is safe for concurrent use if DNS is.
type Checker struct {
	DNS     Resolver
	Now     func() time.Time // nil: time.Now
	Timeout time.Duration    // for all questions of a message together; 0: 2 s
}

// defaultTimeout bounds how long a sender waits for the DNS at the end of DATA.
const defaultTimeout = 2 * time.Second

// Finding is what was found of a message.
type Finding struct {
	Results []Result
	// Aligned says that the domain in From vouches for the message, by SPF or by DKIM, whether or not it
	// has a DMARC policy.
	Aligned bool
	// Policy is what that domain wants done with mail that fails DMARC: none, quarantine, reject; "" where
	// it has no policy.
	Policy string
}

// Check judges a message. It has no error: what went wrong is the result of a check.
func (c *Checker) Check(ctx context.Context, m *Mail) Finding {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	// All at once: who lets our questions to a server of theirs hang takes no time from the others, and
	// above all not from that for the policy of the domain they pretend to be.
	var (
		spf    identity
		dkim   []signature
		dmarc  discovery
		chain  Result
		checks sync.WaitGroup
	)
	first, done := context.WithTimeout(ctx, c.timeout()*3/4) // the rest is for what their results ask
	defer done()
	checks.Go(func() { spf = c.checkSPF(first, m) })
	checks.Go(func() { dkim = c.checkDKIM(first, m) })
	checks.Go(func() { dmarc = c.discover(first, authorDomain(m.Author)) })
	checks.Go(func() { chain = c.checkARC(first, m) })
	checks.Wait()
	f := c.conclude(ctx, spf, dkim, dmarc)
	if chain.Value != None {
		f.Results = append(f.Results, chain)
	}
	return f
}

func (c *Checker) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}

func (c *Checker) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// authorDomain is the domain DMARC is about, in A-labels (RFC 9989 §5.3.1); "" for none.
func authorDomain(a smtp.Address) string {
	domain, err := smtp.DomainKey(a.Domain)
	if err != nil {
		return ""
	}
	return domain
}

// identity is a domain that a check is about, and what the check came to.
type identity struct {
	domain string
	result Result
}
