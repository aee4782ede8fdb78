// Package edit changes a message that was held, for its copies: another subject, and without some of its
// parts. The message itself stays as it came, so that a change is kept as what is different, in octets of
// the message, and is made again for each copy. It is pure, and holds no more of a message than a line.
//
// It follows
//
//   - RFC 2045, MIME: Content-Type (§5)
//   - RFC 2046, media types: where the parts of a multipart begin and end (§5.1.1)
//   - RFC 2047, encoded words, in which a subject is written that is not ASCII
//   - RFC 2183, Content-Disposition: the name of an attachment; RFC 2231, how names are written that are not ASCII
//   - RFC 5322, Internet Message Format: lines and folding (§2.2.3)
package edit
