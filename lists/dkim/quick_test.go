package dkim

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"runtime"
	"sync"
	"testing"
)

// TestEngineSignsAsTheLibrary: whatever signs in this build, from several goroutines at once, with
// keys coming and going, makes the one signature that there is (RFC 8017 §8.2.1).
func TestEngineSignsAsTheLibrary(t *testing.T) {
	t.Parallel()
	pkcs8, err := Generate(RSA)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for worker := range byte(4) {
		all.Go(func() {
			for n := range byte(8) {
				k, err := ParseKey("lists.example", "s", pkcs8)
				if err != nil {
					t.Error(err)
					return
				}
				sum := sha256.Sum256([]byte{worker, n})
				got, err := k.sign(sum[:])
				want, _ := rsa.SignPKCS1v15(nil, parsed.(*rsa.PrivateKey), crypto.SHA256, sum[:])
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s signs %x, %v", Engine, got, err)
				}
				runtime.GC()
			}
		})
	}
	all.Wait()
	k, err := ParseKey("lists.example", "s", pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.sign([]byte("no hash")); err == nil {
		t.Errorf("%s signed what is no hash", Engine)
	}
}
