package fanout

import (
	"bytes"
	"strings"

	"muster/lists/mailauth"
)

const authResults = "Authentication-Results"

// claimant is by whose name nobody but us may say who vouches for a message.
func (src *source) claimant() string {
	id, _, err := mailauth.Read(strings.TrimPrefix(src.authres, authResults+":"))
	if err != nil { // nobody looked
		return src.authserv
	}
	return id
}

// withoutClaims leaves out of a header the Authentication-Results fields that claim to be by a server:
// whoever reads the copy must not take them for its word (RFC 8601 §5).
func withoutClaims(raw []byte, authserv string) []byte {
	if authserv == "" || !has(raw, "authentication-results") {
		return raw
	}
	kept := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		field := raw[:fieldLen(raw)]
		raw = raw[len(field):]
		if fieldName(field) == "authentication-results" && mailauth.ByServer(field[bytes.IndexByte(field, ':')+1:], authserv) {
			continue
		}
		kept = append(kept, field...)
	}
	return kept
}

// fieldLen is how much of a header its first field is, with the lines it goes on in.
func fieldLen(raw []byte) int {
	end := 0
	for {
		i := bytes.IndexByte(raw[end:], '\n')
		if i < 0 {
			return len(raw)
		}
		end += i + 1
		if end == len(raw) || raw[end] != ' ' && raw[end] != '\t' {
			return end
		}
	}
}
