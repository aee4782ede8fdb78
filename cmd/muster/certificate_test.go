package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"muster/cmd/muster/config"
)

// writeCertificate makes a certificate for a name that signs itself.
func writeCertificate(dir, name string) (*config.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	c := &config.Config{TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}
	return c, errors.Join(
		os.WriteFile(c.TLSCert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(c.TLSKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// shownName is the name in the certificate that a listener shows.
func shownName(t *testing.T, c *tls.Config) string {
	t.Helper()
	got, err := c.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(got.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Subject.CommonName
}

func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := writeCertificate(dir, "old.example")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loadCertificate(c)
	if err != nil {
		t.Fatal(err)
	}
	listener := loaded.config()
	if _, err := writeCertificate(dir, "new.example"); err != nil {
		t.Fatal(err)
	}
	if name := shownName(t, listener); name != "old.example" {
		t.Errorf("before the reload: %s", name)
	}
	if err := loaded.reload(); err != nil {
		t.Fatal(err)
	}
	if name := shownName(t, listener); name != "new.example" {
		t.Errorf("after the reload: %s", name)
	}
	if err := os.WriteFile(loaded.cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := loaded.reload(); err == nil {
		t.Error("a broken certificate was read")
	}
	if name := shownName(t, listener); name != "new.example" {
		t.Errorf("after a bad reload: %s", name)
	}
}

func TestNoCertificate(t *testing.T) {
	t.Parallel()
	loaded, err := loadCertificate(&config.Config{})
	if err != nil || loaded.config() != nil {
		t.Errorf("%v, %v", loaded.config(), err)
	}
}
