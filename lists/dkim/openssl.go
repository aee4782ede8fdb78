//go:build openssl && cgo

package dkim

/*
#cgo LDFLAGS: -lcrypto
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static EVP_PKEY *readKey(const unsigned char *der, long length) {
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &der, length);
	ERR_clear_error();
	return key;
}

// sign signs a SHA-256 hash as RSASSA-PKCS1-v1_5. The length of out goes in and out.
static int sign(EVP_PKEY *key, const unsigned char *hash, unsigned char *out, size_t *length) {
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	int good = c != NULL && EVP_PKEY_sign_init(c) == 1
		&& EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1
		&& EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1
		&& EVP_PKEY_sign(c, out, length, hash, 32) == 1;
	EVP_PKEY_CTX_free(c);
	ERR_clear_error();
	return good;
}
*/
import "C"

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
	"unsafe"
)

// Engine names what makes RSA signatures in this build.
const Engine = "OpenSSL"

var errOpenSSL = errors.New("OpenSSL does not take this key")

// opensslKey signs with the machine's libcrypto. It is safe for concurrent use, as EVP_PKEY is.
type opensslKey struct {
	public *rsa.PublicKey
	key    *C.EVP_PKEY
}

// quick is the fastest way there is in this build to sign with an RSA key.
func quick(k *rsa.PrivateKey) (crypto.Signer, error) {
	der := x509.MarshalPKCS1PrivateKey(k)
	key := C.readKey((*C.uchar)(unsafe.Pointer(unsafe.SliceData(der))), C.long(len(der)))
	if key == nil {
		return nil, errOpenSSL
	}
	o := &opensslKey{&k.PublicKey, key}
	runtime.AddCleanup(o, func(key *C.EVP_PKEY) { C.EVP_PKEY_free(key) }, key)
	return o, nil
}

// Public is crypto.Signer.
func (o *opensslKey) Public() crypto.PublicKey { return o.public }

// Sign is crypto.Signer, for SHA-256 alone.
func (o *opensslKey) Sign(_ io.Reader, hash []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(hash) != sha256.Size {
		return nil, errOpenSSL
	}
	out := make([]byte, o.public.Size())
	length := C.size_t(len(out))
	good := C.sign(o.key, (*C.uchar)(unsafe.Pointer(unsafe.SliceData(hash))), (*C.uchar)(unsafe.Pointer(unsafe.SliceData(out))), &length)
	runtime.KeepAlive(o)
	if good != 1 || int(length) != len(out) {
		return nil, errOpenSSL
	}
	return out, nil
}
