// Package dkim signs the copies of a message. What all copies share is canonicalised and hashed
// once, the body above all; for each copy only the fields of its own and the signature's field are
// hashed, and the hash is signed. Canonicalization is relaxed for header and body.
//
// Both algorithms are deterministic, and the time in a signature is given by who signs, so that a
// copy sent a second time is the same to the octet.
//
// It follows
//
//   - RFC 6376, DomainKeys Identified Mail (DKIM) Signatures
//   - RFC 8301, which keys and hashes are still good for it
//   - RFC 8463, Ed25519 keys
//   - RFC 8058, one-click unsubscription, whose fields must be signed
//   - RFC 8017, the form of RSA signatures, and RFC 1035, the form of TXT records
package dkim
