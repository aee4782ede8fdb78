package main

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"muster/cmd/muster/config"
)

// certificate is the listeners' certificate, which can be read again while they run.
type certificate struct {
	cert, key string
	current   atomic.Pointer[tls.Certificate]
}

// loadCertificate reads the configured certificate; nil where none is.
func loadCertificate(c *config.Config) (*certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	loaded := &certificate{cert: c.TLSCert, key: c.TLSKey}
	return loaded, loaded.reload()
}

// reload reads the files again. If they are no good the certificate that was read before stays.
func (c *certificate) reload() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("tls_cert %s, tls_key %s: %w", c.cert, c.key, err)
	}
	c.current.Store(&pair)
	return nil
}

// config is for a server; nil without a certificate.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}
