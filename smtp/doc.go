// Package smtp is the vocabulary that the server, the client and the lists share: addresses, the
// paths and parameters of commands, replies and their codes. It holds no connection and no state.
//
// It follows
//
//   - RFC 5321, Simple Mail Transfer Protocol: paths (§4.1.2), replies (§4.2), sizes (§4.5.3.1)
//   - RFC 6531, internationalised addresses (SMTPUTF8)
//   - RFC 5322 (mailboxes as people write them), RFC 2047 (encoded words in names)
//   - RFC 5890, RFC 5891, RFC 5892, internationalised domain names: A-labels and U-labels
//   - RFC 2034, RFC 3463 and RFC 7504, enhanced status codes
//   - RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 3030 (BINARYMIME is refused), RFC 3461 (xtext),
//     RFC 4954 (AUTH=) for the parameters of MAIL and RCPT
package smtp
