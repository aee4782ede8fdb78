package fanout

import (
	"crypto/x509"
	"errors"
	"fmt"

	"muster/smtp/smtpclient"
)

// Encryption says what connections to a destination must be like. The zero value is Prefer.
type Encryption string

// The kinds of encryption.
const (
	Clear   Encryption = "none"    // never asks for STARTTLS; DANE and MTA-STS are left aside too
	Prefer  Encryption = "prefer"  // takes STARTTLS where it is offered, whatever the certificate
	Require Encryption = "require" // no mail without STARTTLS, whatever the certificate
	Verify  Encryption = "verify"  // no mail without STARTTLS and a certificate for the server's name, or one that DANE vouches for
)

// ErrEncryption is none of the kinds.
var ErrEncryption = errors.New("is none of none, prefer, require, verify")

// ParseEncryption reads one; "" is the zero value.
func ParseEncryption(s string) (Encryption, error) {
	switch e := Encryption(s); e {
	case "", Clear, Prefer, Require, Verify:
		return e, nil
	}
	return "", fmt.Errorf("%q %w", s, ErrEncryption)
}

// encryption is what is set for a lane.
func (l *lane) encryption() Encryption {
	if l.rule != nil && l.rule.TLS != "" {
		return l.rule.TLS
	}
	return l.traffic.encryption
}

// policy is what becomes of a hop's own policy under what is set: it never gets weaker, except where
// nothing is to be encrypted.
func (e Encryption) policy(own smtpclient.TLSPolicy) smtpclient.TLSPolicy {
	switch {
	case own == smtpclient.TLSImplicit:
		return own
	case e == Clear:
		return smtpclient.TLSNone
	case e == Verify || own == smtpclient.TLSRequired:
		return smtpclient.TLSRequired
	case e == Require:
		return smtpclient.TLSEncrypted
	}
	return own
}

// offers notes whether a server offered STARTTLS, and tells of one that did and does so no more:
// somebody may have taken it out on the way.
func (l *lane) offers(h hop, conn *smtpclient.Conn) {
	now := conn.TLS() != nil || conn.Extensions().StartTLS
	l.mu.Lock()
	before := l.offered[h.addr]
	if now != before {
		if l.offered == nil {
			l.offered = map[string]bool{}
		}
		l.offered[h.addr] = now
	}
	l.mu.Unlock()
	if before && !now {
		l.traffic.log.Warn("a server that offered STARTTLS offers it no more, its mail goes in clear",
			"destination", l.name, "server", h.name, "address", h.addr)
	}
}

// examine tells what an MTA-STS policy in testing would have refused (RFC 8461 §5).
func (l *lane) examine(h hop, conn *smtpclient.Conn) {
	if l.sts != stsTesting || h.pins.usable() {
		return
	}
	if err := l.traffic.trusted(h.name, conn); err != nil {
		l.traffic.log.Warn("MTA-STS in testing: mail went out that would be held back", "destination", l.name, "server", h.name, "reason", err)
	}
}

// trusted says what is wrong with a connection's certificate for a name.
func (t *traffic) trusted(name string, conn *smtpclient.Conn) error {
	state := conn.TLS()
	if state == nil || len(state.PeerCertificates) == 0 {
		return smtpclient.ErrNoTLS
	}
	o := x509.VerifyOptions{DNSName: name, Intermediates: x509.NewCertPool()}
	if t.options.TLSConfig != nil {
		o.Roots = t.options.TLSConfig.RootCAs
	}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	return err
}
