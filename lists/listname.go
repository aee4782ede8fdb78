package lists

import (
	"slices"
	"strings"

	"muster/smtp"
)

// MaxLocal is how long a list's name may be, so that "-bounces+" and a seal of 26 still make a
// local part of 64 octets (RFC 5321 §4.5.3.1.1).
const MaxLocal = 29

// maxDomain leaves a list's longest address, with a seal, within the 254 octets of a path.
const maxDomain = smtp.MaxPath - 2 - smtp.MaxLocal - 1

// RoleSuffixes are what follows a list's name and a hyphen in the addresses beside it.
func RoleSuffixes() []string {
	return []string{"request", "join", "subscribe", "leave", "unsubscribe", "owner", "bounces", "confirm"}
}

// ReservedNames are local parts that belong to the site in every domain (RFC 2142, RFC 5321
// §4.5.1) or that nobody would take for a list.
func ReservedNames() []string {
	return []string{"postmaster", "abuse", "mailer-daemon", "hostmaster", "webmaster", "root", "noreply", "no-reply", "muster"}
}

// listName checks the local part of a new list and returns it in key form.
func listName(local string) (string, error) {
	name := strings.ToLower(local)
	switch {
	case name == "":
		return "", badName("list.name.empty", "a list needs a name before the @")
	case len(name) > MaxLocal:
		return "", badName("list.name.long", "the name %q is too long: a list's name has at most 29 octets", clip(local))
	case !isListName(name):
		return "", badName("list.name.chars", "the name %q cannot be used: a list's name is made of letters, digits, and . - _ between them", clip(local))
	case slices.Contains(ReservedNames(), name):
		return "", badName("list.name.reserved", "%s is reserved for the site in every domain; choose another name", name)
	}
	if suffix, ok := roleSuffix(name); ok {
		return "", badName("list.name.role", "%s ends in -%s, which is an address of the list %s; choose another name",
			name, suffix, strings.TrimSuffix(name, "-"+suffix))
	}
	return name, nil
}

func badName(code, format string, args ...any) *Error {
	e := Errorf(Invalid, code, format, args...)
	e.Field = "address"
	return e
}

// isListName allows what can be typed, read aloud and put in a List-Id without quoting. A plus
// would be taken for a sub-address.
func isListName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		case c == '.' || c == '-' || c == '_':
			if i == 0 || i == len(name)-1 || name[i-1] == '.' {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// roleSuffix returns the role suffix at the end of a local part in key form.
func roleSuffix(local string) (string, bool) {
	for _, suffix := range RoleSuffixes() {
		if base, ok := strings.CutSuffix(local, "-"+suffix); ok && base != "" {
			return suffix, true
		}
	}
	return "", false
}

// isSiteLocal says whether a local part in key form is, in a served domain, an address of the site
// or of a list beside its posting address, whether or not the list exists.
func isSiteLocal(local string) bool {
	base, _, _ := strings.Cut(local, "+")
	_, role := roleSuffix(base)
	return role || slices.Contains(ReservedNames(), base)
}
