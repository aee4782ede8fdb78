package mailauth

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"slices"
	"strings"

	"muster/lists/dkim"
)

// What go-msgauth does for DKIM-Signature it does not do for the fields of ARC, which are signed alike but
// under other names and over other fields. The signature of a message and that of a seal are here.

var (
	errSignature = errors.New("the signature is not good")
	errKey       = errors.New("there is no key")
	errLater     = errors.New("the key cannot be had")
)

// signed is a field that holds a signature.
type signed struct {
	field
	tags map[string]string
}

func readSigned(f field) (signed, bool) {
	list, ok := tags(string(f.value))
	return signed{f, list}, ok
}

// verifyMessage verifies a signature over fields that it names and over the body (RFC 6376 §6.1.3).
func (c *Checker) verifyMessage(ctx context.Context, s signed, header []byte, body io.Reader) error {
	headerForm, bodyForm, _ := strings.Cut(strings.ToLower(solid(s.tags["c"])), "/")
	appendField, ok := headerForms()[headerForm]
	if !ok || bodyForm != "" && bodyForm != "simple" && bodyForm != "relaxed" {
		return errSignature
	}
	if _, partly := s.tags["l"]; partly { // signs nothing of what comes after
		return errSignature
	}
	names := strings.Split(strings.ToLower(solid(s.tags["h"])), ":")
	if !slices.Contains(names, "from") {
		return errSignature
	}
	key, err := c.publicKey(ctx, s.tags)
	if err != nil {
		return err
	}
	want, err := base64.StdEncoding.DecodeString(solid(s.tags["bh"]))
	if err != nil {
		return errSignature
	}
	have, err := hashBody(body, bodyForm == "relaxed")
	if err != nil {
		return errLater
	}
	if !bytes.Equal(have, want) {
		return errSignature
	}
	var text []byte
	for _, f := range pick(header, names) {
		text = appendField(text, f)
	}
	return s.verify(key, appendField(text, s.unsigned()))
}

// pick are the fields that are named, each name taking one from the bottom up (RFC 6376 §5.4.2).
func pick(header []byte, names []string) []field {
	left := map[string][]field{}
	for f := range fields(header) {
		left[f.name] = append(left[f.name], f)
	}
	var picked []field
	for _, name := range names {
		if n := len(left[name]); n > 0 {
			picked = append(picked, left[name][n-1])
			left[name] = left[name][:n-1]
		}
	}
	return picked
}

// headerForms are the ways to write a field for a signature, "" being simple.
func headerForms() map[string]func([]byte, field) []byte {
	simple := func(dst []byte, f field) []byte { return append(dst, f.whole...) }
	return map[string]func([]byte, field) []byte{"": simple, "simple": simple, "relaxed": appendRelaxed}
}

func appendRelaxed(dst []byte, f field) []byte { return dkim.AppendRelaxed(dst, f.name, f.value) }

// unsigned is the field without the value of its tag b (RFC 6376 §3.7).
func (s signed) unsigned() field {
	parts := strings.Split(string(s.value), ";")
	for i, part := range parts {
		if name, _, ok := strings.Cut(part, "="); ok && strings.EqualFold(strings.TrimSpace(name), "b") {
			parts[i] = name + "="
		}
	}
	value := []byte(strings.Join(parts, ";"))
	before := s.whole[:len(s.whole)-len(s.value)]
	return field{name: s.name, value: value, whole: append(bytes.Clone(before), value...)}
}

// verify verifies the signature of a text, which does not end with a line end (RFC 6376 §3.7).
func (s signed) verify(key crypto.PublicKey, text []byte) error {
	sum := sha256.Sum256(bytes.TrimSuffix(text, []byte("\r\n")))
	b, err := base64.StdEncoding.DecodeString(solid(s.tags["b"]))
	if err != nil {
		return errSignature
	}
	algorithm := strings.ToLower(solid(s.tags["a"]))
	switch key := key.(type) {
	case *rsa.PublicKey:
		if algorithm == "rsa-sha256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], b) == nil {
			return nil
		}
	case ed25519.PublicKey: // RFC 8463 §3
		if algorithm == "ed25519-sha256" && ed25519.Verify(key, sum[:], b) {
			return nil
		}
	}
	return errSignature
}

// publicKey looks up the key that a signature names (RFC 6376 §3.6).
func (c *Checker) publicKey(ctx context.Context, list map[string]string) (crypto.PublicKey, error) {
	texts, err := c.key(ctx, solid(list["s"])+"._domainkey."+solid(list["d"]))
	if err != nil {
		return nil, errLater
	}
	if len(texts) != 1 {
		return nil, errKey
	}
	record, ok := tags(texts[0])
	if version, there := record["v"]; !ok || there && version != "DKIM1" {
		return nil, errKey
	}
	p, err := base64.StdEncoding.DecodeString(solid(record["p"]))
	if err != nil || len(p) == 0 {
		return nil, errKey
	}
	if solid(record["k"]) == "ed25519" {
		if len(p) != ed25519.PublicKeySize {
			return nil, errKey
		}
		return ed25519.PublicKey(p), nil
	}
	return rsaKey(p)
}

// minRSA is by RFC 8301 §3.2; more than maxRSA costs who verifies more than it gives who signs.
const (
	minRSA = 1024
	maxRSA = 4096
)

func rsaKey(p []byte) (crypto.PublicKey, error) {
	found, err := x509.ParsePKIXPublicKey(p)
	if err != nil {
		found, err = x509.ParsePKCS1PublicKey(p)
	}
	key, ok := found.(*rsa.PublicKey)
	if err != nil || !ok || key.N.BitLen() < minRSA || key.N.BitLen() > maxRSA {
		return nil, errKey
	}
	return key, nil
}

// hashBody hashes a body in its relaxed or its simple form (RFC 6376 §3.4.3, §3.4.4).
func hashBody(body io.Reader, relaxed bool) ([]byte, error) {
	if relaxed {
		h := dkim.NewRelaxedBody()
		_, err := io.Copy(h, body)
		return h.Sum(), err
	}
	h := newSimpleBody()
	_, err := io.Copy(h, body)
	return h.sum(), err
}

// simpleBody hashes a body without the empty lines at its end.
type simpleBody struct {
	hash hash.Hash
	out  *bufio.Writer
	ends int  // line ends since the last text
	cr   bool // and a CR that may begin another
}

func newSimpleBody() *simpleBody {
	h := sha256.New()
	return &simpleBody{hash: h, out: bufio.NewWriter(h)}
}

func (b *simpleBody) Write(p []byte) (int, error) {
	for _, c := range p {
		if c == '\n' && b.cr {
			b.cr = false
			b.ends++
			continue
		}
		if c == '\r' && !b.cr {
			b.cr = true
			continue
		}
		b.flush()
		if b.cr = c == '\r'; !b.cr {
			b.out.WriteByte(c) // a hash does not fail
		}
	}
	return len(p), nil
}

// flush writes the line ends that were held back.
func (b *simpleBody) flush() {
	for ; b.ends > 0; b.ends-- {
		b.out.WriteString("\r\n")
	}
	if b.cr {
		b.out.WriteByte('\r')
		b.cr = false
	}
}

// sum ends the body, which in this form always ends with one line end.
func (b *simpleBody) sum() []byte {
	if b.cr {
		b.flush()
	}
	b.out.WriteString("\r\n")
	b.out.Flush()
	return b.hash.Sum(nil)
}
