// Package inbound is where mail comes in: what an SMTP or LMTP session asks is answered by the lists.
// It turns addresses into what they are here, messages into posts, and the kinds of errors of
// package lists into replies; it decides nothing itself.
//
// It follows
//
//   - RFC 5321: RCPT for local addresses only (§3.6), VRFY and EXPN (§3.5, §7.3), Received (§4.4),
//     replies (§4.2)
//   - RFC 2033, LMTP: an answer for each recipient
//   - RFC 3463, enhanced status codes
//   - RFC 3848 and RFC 6531 §3.7.3, what WITH says in Received
//   - RFC 4954, AUTH
package inbound
