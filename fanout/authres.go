package fanout

import (
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

// withoutClaims leaves out of a header what claims to be a server's word on who vouches for the message.
func withoutClaims(raw []byte, authserv string) []byte {
	if authserv == "" || !has(raw, "authentication-results") {
		return raw
	}
	return mailauth.Without(raw, authserv)
}
