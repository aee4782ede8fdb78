package lists

import "strings"

// languageTag keeps what can be the tag of a language (RFC 5646 §2.1), in lower case; other text is
// as good as none.
func languageTag(tag string) string {
	if len(tag) < 2 || len(tag) > 20 {
		return ""
	}
	for _, c := range []byte(tag) {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return ""
		}
	}
	return strings.ToLower(tag)
}
