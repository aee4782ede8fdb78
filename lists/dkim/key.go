package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

// Algorithm is what a key signs with, by its name in a key record (RFC 6376 §3.6.1, RFC 8463 §4).
type Algorithm string

// The algorithms.
const (
	RSA     Algorithm = "rsa"
	Ed25519 Algorithm = "ed25519"
)

// rsaBits is the length of the keys made here: what every verifier takes (RFC 8301 §3.2) and what
// still fits a DNS answer over UDP.
const rsaBits = 2048

// minRSABits is what RFC 8301 §3.2 lets signers use.
const minRSABits = 1024

var errKey = errors.New("not a key that DKIM can sign with")

// Key is a private key of a domain under a selector. Printing one never shows what is private.
type Key struct {
	domain, selector string
	algorithm        Algorithm
	private          crypto.Signer
}

// Generate makes a private key, in PKCS #8.
func Generate(a Algorithm) ([]byte, error) {
	var private any
	var err error
	switch a {
	case RSA:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case Ed25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("%q: %w", string(a), errKey)
	}
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// ParseKey reads a private key in PKCS #8. Its errors say nothing of what was read.
func ParseKey(domain, selector string, pkcs8 []byte) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", selector, domain, errKey)
	}
	k := &Key{domain: domain, selector: selector}
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		if private.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("key %s of %s has %d bits: %w", selector, domain, private.N.BitLen(), errKey)
		}
		k.algorithm = RSA
		k.private, err = quick(private)
	case ed25519.PrivateKey:
		k.algorithm, k.private = Ed25519, private
	default:
		err = errKey
	}
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", selector, domain, err)
	}
	return k, nil
}

// Algorithm is what the key signs with.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

// Selector names the key within its domain.
func (k *Key) Selector() string { return k.selector }

// sign signs a SHA-256 hash. RFC 8463 §3 has Ed25519 sign the hash as its message.
func (k *Key) sign(hash []byte) ([]byte, error) {
	opts := crypto.SHA256
	if k.algorithm == Ed25519 {
		opts = 0
	}
	return k.private.Sign(nil, hash, opts)
}

// size is the octets of a signature.
func (k *Key) size() int {
	if public, ok := k.private.Public().(*rsa.PublicKey); ok {
		return public.Size()
	}
	return ed25519.SignatureSize
}

// Record is the text of the key's TXT record (RFC 6376 §3.6.1). An RSA key stands in it as
// SubjectPublicKeyInfo, as verifiers want it, an Ed25519 key as it is (RFC 8463 §4.2).
func (k *Key) Record() (string, error) {
	public := k.private.Public()
	octets, ok := public.(ed25519.PublicKey)
	if !ok {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return "", fmt.Errorf("key %s of %s: %w", k.selector, k.domain, err)
		}
		octets = der
	}
	return "v=DKIM1; k=" + string(k.algorithm) + "; p=" + base64.StdEncoding.EncodeToString(octets), nil
}

// String names the key.
func (k *Key) String() string { return k.selector + "._domainkey." + k.domain }

// GoString is String: not even %#v shows what is private.
func (k *Key) GoString() string { return k.String() }

// LogValue is String.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
