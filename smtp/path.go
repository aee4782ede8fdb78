package smtp

import (
	"fmt"
	"strings"
)

// ErrPath means that what should be a path has no angle brackets around it.
var ErrPath = fmt.Errorf("no path in angle brackets: %w", ErrAddress)

// ParsePath takes a path off the front of s, "<local-part@domain>", and returns the mailbox with
// what follows the path. "<>" is the zero Address and "<postmaster>", in any case, the Address
// without a domain (RFC 5321 §4.1.1.3); which of them may stand where is for the command to say. A
// source route is read and ignored (RFC 5321 §4.1.2, appendix C).
func ParsePath(s string) (a Address, rest string, err error) {
	inner, rest, ok := cutPath(s)
	if !ok {
		return Address{}, s, ErrPath
	}
	if len(inner) > MaxPath-2 {
		return Address{}, rest, ErrAddressLong
	}
	if inner, err = skipRoute(inner); err != nil {
		return Address{}, rest, err
	}
	switch {
	case inner == "":
		return Address{}, rest, nil
	case strings.EqualFold(inner, "postmaster"):
		return Address{Local: inner}, rest, nil
	}
	a, err = ParseAddress(inner)
	return a, rest, err
}

// cutPath finds the bracket that closes the path: not one within a quoted local part.
func cutPath(s string) (inner, rest string, ok bool) {
	if s == "" || s[0] != '<' {
		return "", s, false
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == '>' && !quoted:
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// skipRoute takes "@a,@b:" off the front.
func skipRoute(path string) (string, error) {
	if !strings.HasPrefix(path, "@") {
		return path, nil
	}
	route, mailbox, ok := strings.Cut(path, ":")
	if !ok || mailbox == "" {
		return "", ErrAddress
	}
	for hop := range strings.SplitSeq(route, ",") {
		domain, ok := strings.CutPrefix(hop, "@")
		if !ok || checkDomain(domain) != nil {
			return "", ErrAddress
		}
	}
	return mailbox, nil
}
