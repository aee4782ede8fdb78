package fanout

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"muster/smtp"
)

// ErrPattern is a pattern of domains that cannot be used.
var ErrPattern = errors.New(`a pattern is a domain or an address, "*." and a domain for all below it, or "*" for all`)

// ParsePattern reads a pattern of domains into the form that they are compared in.
func ParsePattern(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil { // of a relay
		return ip.String(), nil
	}
	rest, below := strings.CutPrefix(s, "*.")
	key, err := smtp.DomainKey(rest)
	if err != nil || strings.Contains(rest, "*") {
		return "", fmt.Errorf("%q: %w", s, ErrPattern)
	}
	if below {
		key = "*." + key
	}
	return key, nil
}

// fits says whether one of some patterns is for a domain.
func fits(patterns []string, domain string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "*" || strings.EqualFold(p, domain) {
			return true
		}
		below, ok := strings.CutPrefix(p, "*")
		return ok && len(domain) > len(below) && strings.EqualFold(domain[len(domain)-len(below):], below)
	})
}
