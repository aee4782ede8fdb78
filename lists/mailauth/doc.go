// Package mailauth finds out who vouches for a message that came in: SPF for the server that brought
// it, DKIM for what it says, and DMARC whether either is the domain that stands in From. What it finds
// is facts for a verdict, and an Authentication-Results field for who reads the copies; it decides
// nothing. It asks the DNS through an interface, all checks of a message together for no longer than a
// limit, and what could not be asked in time is a temporary error of that check.
//
// DKIM is verified by go-msgauth and SPF judged by blitiri's spf. Authentication-Results is read and
// written here: go-msgauth takes a semicolon in a comment or a quoted string for the end of a result,
// which is how a sender would have us, or those behind us, read results that nobody found.
//
// It follows
//
//   - RFC 7208, Sender Policy Framework (SPF)
//   - RFC 6376, DomainKeys Identified Mail (DKIM) Signatures, RFC 8301 and RFC 8463 for its algorithms
//   - RFC 9989, DMARC: the policy record (§4.7), the DNS tree walk (§4.10)
//   - RFC 8601, Authentication-Results, RFC 6008 for header.b
//   - RFC 8617, Authenticated Received Chain (ARC)
//   - RFC 5322, the header: comments and folding; RFC 2045, what a token is
//   - RFC 1035, the size of names
package mailauth
