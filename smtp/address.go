package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// The sizes of RFC 5321 §4.5.3.1, in octets.
const (
	MaxLocal  = 64
	MaxDomain = 255
	MaxPath   = 256 // with the angle brackets
)

// Address is a mailbox, local-part "@" domain, in the spelling it was given: mail is sent to this
// spelling, while Key decides whether two addresses are the same. Local is unquoted. The zero
// Address is the null reverse-path "<>". An Address without Domain is the bare <postmaster> of
// RFC 5321 §4.1.1.3 and nothing else.
type Address struct {
	Local  string
	Domain string
}

// The ways an address can be wrong.
var (
	ErrAddress     = errors.New("not an address of the form local-part@domain")
	ErrAddressLong = errors.New("address too long")
)

// ParseAddress reads local-part@domain, the local part as dot-string or quoted-string, the domain
// as a name or an address literal. UTF-8 is allowed in both (RFC 6531 §3.3). No white space,
// comments or angle brackets.
func ParseAddress(s string) (Address, error) {
	if !isAddressText(s) {
		return Address{}, ErrAddress
	}
	local, rest, err := scanLocal(s)
	if err != nil {
		return Address{}, err
	}
	if !strings.HasPrefix(rest, "@") {
		return Address{}, ErrAddress
	}
	a := Address{Local: local, Domain: rest[1:]}
	if len(local) > MaxLocal || len(a.Domain) > MaxDomain || len(s) > MaxPath-2 {
		return Address{}, ErrAddressLong
	}
	if err := checkDomain(a.Domain); err != nil {
		return Address{}, err
	}
	return a, nil
}

// isAddressText keeps out what is no text, and the characters that would show an address as
// another one than it is: RFC 6531 §3.3 allows any character above ASCII, people can only read some.
func isAddressText(s string) bool {
	if isASCII(s) {
		return true
	}
	for _, r := range s {
		if r == utf8.RuneError || r > unicode.MaxASCII && !unicode.IsPrint(r) && !isJoiner(r) {
			return false
		}
	}
	return true
}

// isJoiner allows the two invisible characters that some scripts cannot be spelled without
// (RFC 5892, appendix A.1 and A.2).
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// scanLocal takes a local part off the front of s and returns it unquoted with what follows it.
func scanLocal(s string) (local, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return scanQuoted(s)
	}
	end := 0
	for end < len(s) && (isAtext(s[end]) || s[end] == '.') {
		end++
	}
	local = s[:end]
	if local == "" || local[0] == '.' || local[end-1] == '.' || strings.Contains(local, "..") {
		return "", "", ErrAddress
	}
	return local, s[end:], nil
}

func scanQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			if b.Len() == 0 {
				return "", "", ErrAddress
			}
			return b.String(), s[i+1:], nil
		case c == '\\':
			if i++; i >= len(s) || s[i] < ' ' || s[i] > '~' {
				return "", "", ErrAddress
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7f:
			return "", "", ErrAddress
		default:
			b.WriteByte(c)
		}
	}
	return "", "", ErrAddress
}

// isAtext says whether c may stand in an atom (RFC 5322 §3.2.3, widened by RFC 6531 §3.3).
func isAtext(c byte) bool {
	return c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func checkDomain(d string) error {
	if strings.HasPrefix(d, "[") {
		return checkLiteral(d)
	}
	if _, err := DomainKey(d); err != nil {
		return ErrAddress
	}
	return nil
}

// checkLiteral accepts [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 §4.1.3).
func checkLiteral(d string) error {
	inner, ok := strings.CutSuffix(d[1:], "]")
	if !ok {
		return ErrAddress
	}
	v6, is6 := strings.CutPrefix(strings.ToLower(inner), "ipv6:")
	if is6 {
		inner = v6
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil || ip.Is6() != is6 || ip.Zone() != "" {
		return ErrAddress
	}
	return nil
}

// idnaProfile maps a domain as a resolver would be asked for it. Underscores and the like stay
// out: a mail domain is a host name (RFC 5321 §2.3.5).
var idnaProfile = idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.Transitional(false), idna.BidiRule(), idna.VerifyDNSLength(true))

// DomainKey is the form of a domain by which domains are compared: A-labels, lower case, no
// trailing dot. An error means that it is no host name.
func DomainKey(d string) (string, error) {
	if isPlainDomain(d) {
		return d, nil
	}
	if d == "" || strings.HasSuffix(d, ".") || strings.HasPrefix(d, "[") {
		return "", fmt.Errorf("domain %q: %w", d, ErrAddress)
	}
	key, err := idnaProfile.ToASCII(d)
	if err != nil || key == "" || len(key) > MaxDomain {
		return "", fmt.Errorf("domain %q: %w", d, ErrAddress)
	}
	return key, nil
}

// isPlainDomain spares the common case, a lower-case ASCII name without A-labels, the walk
// through IDNA.
func isPlainDomain(d string) bool {
	label := 0
	for i := 0; i < len(d); i++ {
		switch c := d[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			label++
		case c == '-' && label > 0 && label != 2 && i+1 < len(d) && d[i+1] != '.':
			label++ // "--" in the third place marks an A-label: not plain
		case c == '.' && label > 0 && i+1 < len(d):
			label = 0
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return label > 0 && len(d) <= MaxDomain
}

// IsZero says whether a is the null reverse-path.
func (a Address) IsZero() bool { return a == Address{} }

// ASCII says whether a can be given to a server without SMTPUTF8 as it is.
func (a Address) ASCII() bool { return isASCII(a.Local) && isASCII(a.Domain) }

// Wire is a as it stands between angle brackets of a command, the local part quoted where it must
// be: "" for the null path.
func (a Address) Wire() string {
	if a.Domain == "" {
		return quoteLocal(a.Local)
	}
	return quoteLocal(a.Local) + "@" + a.Domain
}

// AppendWire appends Wire to b.
func (a Address) AppendWire(b []byte) []byte {
	b = append(b, quoteLocal(a.Local)...)
	if a.Domain == "" {
		return b
	}
	b = append(b, '@')
	return append(b, a.Domain...)
}

// wireLen is the length of Wire.
func (a Address) wireLen() int {
	n := len(quoteLocal(a.Local))
	if a.Domain != "" {
		n += 1 + len(a.Domain)
	}
	return n
}

// String is Wire.
func (a Address) String() string { return a.Wire() }

// Key is the form by which two addresses are the same member: NFC, lower case, the domain as
// A-labels. RFC 5321 §2.4 leaves the case of a local part to its host; no host that matters keeps
// two people apart by it, and people do type their address both ways.
func (a Address) Key() string {
	return LocalKey(a.Local) + "@" + a.DomainKey()
}

// DomainKey is the domain part of Key.
func (a Address) DomainKey() string {
	key, err := DomainKey(a.Domain)
	if err != nil { // a literal
		return strings.ToLower(a.Domain)
	}
	return key
}

// LocalKey is the local part of Key, quoted where Wire would quote it.
func LocalKey(local string) string {
	if isASCII(local) {
		return quoteLocal(strings.ToLower(local))
	}
	return quoteLocal(norm.NFC.String(strings.ToLower(norm.NFC.String(local))))
}

func quoteLocal(local string) string {
	if local == "" {
		return ""
	}
	if l, rest, err := scanLocal(local); err == nil && rest == "" && l == local {
		return local
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if c := local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}
