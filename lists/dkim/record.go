package dkim

import "strings"

// maxString is the octets of one string of a TXT record (RFC 1035 §3.3.14).
const maxString = 255

// RecordName is where a key's record stands (RFC 6376 §3.6.2.1).
func RecordName(selector, domain string) string { return selector + "._domainkey." + domain }

// ZoneLine is a TXT record as a line of a zone file, its text in strings of at most 255 octets
// (RFC 1035 §5.1).
func ZoneLine(name, text string) string {
	var b strings.Builder
	b.WriteString(name + ". IN TXT (")
	for _, s := range Strings(text) {
		b.WriteString(` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
	}
	b.WriteString(" )")
	return b.String()
}

// Strings cuts the text of a TXT record into the strings it is made of.
func Strings(text string) []string {
	var cut []string
	for len(text) > maxString {
		cut = append(cut, text[:maxString])
		text = text[maxString:]
	}
	return append(cut, text)
}

// SameKey says whether a record found in the DNS publishes the key of another, however it is
// written: with other tags, in other order, with white space (RFC 6376 §3.2, §3.6.1).
func SameKey(found, want string) bool {
	f, w := tags(found), tags(want)
	if v, ok := f["v"]; ok && v != "DKIM1" {
		return false
	}
	kind := f["k"]
	if kind == "" {
		kind = string(RSA)
	}
	return f["p"] != "" && f["p"] == w["p"] && kind == w["k"]
}

// tags reads a tag list, without the white space in its values.
func tags(text string) map[string]string {
	found := map[string]string{}
	for tag := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(tag, "="); ok {
			found[strings.TrimSpace(name)] = strings.Join(strings.Fields(value), "")
		}
	}
	return found
}
