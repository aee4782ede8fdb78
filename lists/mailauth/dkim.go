package mailauth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/emersion/go-msgauth/dkim"

	"muster/smtp"
)

const (
	// maxSignatures is how many are verified, fewer where that would hash more than maxHashed octets:
	// each costs a question and a hash of the body.
	maxSignatures = 8
	maxHashed     = 32 << 20
	// These are more than any honest signer needs, and keep what a verifier does with a header in
	// proportion to it: it looks through all fields for each that is named, and copies a field for each line
	// that it goes on in.
	maxSignatureField = 8 << 10
	maxNames          = 256
	maxLines          = 2000
	maxKey            = 1 << 10 // RSA of 4,096 bits is 740 characters
)

// signature is a DKIM signature that was verified.
type signature struct {
	identity
	odd bool // another reader may take it for something else
}

// checkDKIM verifies the signatures of a message, the topmost if there are many.
func (c *Checker) checkDKIM(ctx context.Context, m *Mail) []signature {
	most := signaturesFor(m.Size)
	found, sane := signaturesOf(m.Header, most)
	if len(found) == 0 {
		return nil
	}
	if !sane {
		return unread(found, PermError, "a header nobody signs")
	}
	body, err := m.Body()
	if err != nil {
		return unread(found, TempError, "")
	}
	defer body.Close()
	results, err := dkim.VerifyWithOptions(io.MultiReader(bytes.NewReader(ended(m.Header)), body), &dkim.VerifyOptions{
		LookupTXT:        func(name string) ([]string, error) { return c.key(ctx, name) },
		MaxVerifications: most,
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return unread(found, TempError, "")
	}
	if len(results) != len(found) { // that is no trouble which passes: it must not excuse anybody
		return unread(found, PermError, "a header nobody signs")
	}
	for i, r := range results {
		c.note(&found[i], r)
	}
	return found
}

// signaturesFor is how many signatures of a message are verified: the author's and that of who sent it for
// them in any case.
func signaturesFor(size int64) int {
	const least = 2
	if size <= maxHashed/maxSignatures {
		return maxSignatures
	}
	return max(int(maxHashed/size), least)
}

// note takes over what the library found.
func (c *Checker) note(s *signature, r *dkim.Verification) {
	domain, err := smtp.DomainKey(r.Domain)
	s.result.Value, s.domain = Pass, domain
	s.result.set("header.d", domain) // which may not be what we read: it is what was verified
	switch {
	case s.odd:
		s.result.Value, s.result.Reason = PermError, "tags that can be read in two ways"
	case r.Err != nil:
		s.result.Value, s.result.Reason = dkimValue(r.Err), strings.TrimPrefix(r.Err.Error(), "dkim: ")
	case err != nil: // its name may be made to be misread
		s.result.Value, s.result.Reason = PermError, "d= is no domain"
	case !r.Expiration.IsZero() && c.now().After(r.Expiration):
		s.result.Value, s.result.Reason = PermError, "signature has expired"
	}
}

func dkimValue(err error) Value {
	switch {
	case dkim.IsTempFail(err):
		return TempError
	case dkim.IsPermFail(err):
		return PermError
	}
	return Fail
}

// key looks up the record of a key.
func (c *Checker) key(ctx context.Context, name string) ([]string, error) {
	found, err := c.asker().LookupTXT(ctx, name)
	for _, text := range found {
		if len(text) > maxKey {
			return nil, errors.New("a key that large is no key")
		}
	}
	return found, err
}

// signaturesOf are the signatures of a header that are verified, and whether it is a header that a
// verifier can be given.
func signaturesOf(header []byte, most int) (found []signature, sane bool) {
	sane = onlyFields(header)
	for f := range fields(header) {
		if bytes.Count(f.value, []byte("\n")) > maxLines {
			sane = false
		}
		if f.name != "dkim-signature" {
			continue
		}
		if len(f.value) > maxSignatureField || bytes.Count(f.value, []byte(":")) > maxNames {
			sane = false
		}
		if len(found) < most {
			found = append(found, readSignature(f.value))
		}
	}
	return found, sane
}

// readSignature is what a signature says of itself.
func readSignature(value []byte) signature {
	list, ok := signatureTags(string(value))
	s := signature{identity{domain: strings.ToLower(solid(list["d"])), result: Result{Method: MethodDKIM}}, !ok}
	b := solid(list["b"])
	for _, p := range []Prop{
		{"header.d", s.domain}, {"header.s", solid(list["s"])}, {"header.a", solid(list["a"])},
		{"header.b", b[:min(len(b), 8)]}, // RFC 6008 §4
	} {
		if p.Value != "" {
			s.result.Props = append(s.result.Props, p)
		}
	}
	return s
}

// signatureTags reads the tags of a DKIM signature as strictly as the verifier may read them: their names
// in the case they have (RFC 6376 §3.2). It is false where a more lenient reader could see others: a name
// of other characters, one that is there twice, white space beyond that of mail.
func signatureTags(text string) (map[string]string, bool) {
	found, ok := map[string]string{}, !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) && !strings.ContainsRune(" \t\r\n", r) })
	for tag := range strings.SplitSeq(text, ";") {
		name, value, there := strings.Cut(tag, "=")
		name = strings.Trim(name, " \t\r\n")
		if !there && name == "" {
			continue // after the last
		}
		if _, again := found[name]; again || !there || !isTagName(name) {
			ok = false
			continue
		}
		found[name] = strings.Trim(value, " \t\r\n")
	}
	return found, ok
}

func isTagName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// unread gives all signatures the same result.
func unread(found []signature, value Value, reason string) []signature {
	for i := range found {
		found[i].result.Value, found[i].result.Reason = value, reason
	}
	return found
}

// ended is a header with its empty line, which a message without a body may lack.
func ended(header []byte) []byte {
	if bytes.HasSuffix(header, []byte("\r\n\r\n")) || bytes.Equal(header, []byte("\r\n")) {
		return header
	}
	if !bytes.HasSuffix(header, []byte("\n")) {
		header = append(bytes.Clone(header), "\r\n"...)
	}
	if bytes.HasSuffix(header, []byte("\n\n")) || bytes.HasSuffix(header, []byte("\n\r\n")) {
		return header
	}
	return append(bytes.Clone(header), "\r\n"...)
}
