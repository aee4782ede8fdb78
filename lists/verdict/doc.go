// Package verdict decides what becomes of a message that somebody sent to a list. It is pure: facts
// in, a verdict with its trace out. It asks nobody anything and keeps no state, so that every
// decision can be made again later from what was stored of it.
//
// It follows
//
//   - RFC 5321, Simple Mail Transfer Protocol: loops (§6.3), the null reverse-path (§4.5.5)
//   - RFC 5322, Internet Message Format: the author (§3.6.2), names of fields (§2.2)
//   - RFC 2045, MIME: what a part is that does not say (§5.2)
//   - RFC 5233, subaddresses: a tag behind a plus
//   - RFC 2919, List-Id: a post that came from its own list
//   - RFC 8601, Authentication-Results: the words for what was found of who vouches for a message
//   - RFC 3834, automatic responses: what is automatic mail is no post
package verdict
