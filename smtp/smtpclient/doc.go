// Package smtpclient is one outgoing SMTP or LMTP connection, built for a sender that keeps it busy.
//
// It follows
//
//   - RFC 2033, LMTP: LHLO (§4.1), a reply for each recipient after the text (§4.2)
//   - RFC 5321, Simple Mail Transfer Protocol: dialogue (§3), replies (§4.2), transparency (§4.5.2), timeouts (§4.5.3.2)
//   - RFC 2920, PIPELINING
//   - RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 and RFC 6532 (SMTPUTF8), RFC 3461 and RFC 6533 (DSN), RFC 9422 (LIMITS)
//   - RFC 2034 and RFC 3463, enhanced status codes
//   - RFC 3207 (STARTTLS), RFC 8314 (implicit TLS), RFC 7435 (opportunistic security) and RFC 8446 (records)
//   - RFC 4954 (AUTH) and its predecessor RFC 2554, RFC 4616 (PLAIN)
//
// CHUNKING (RFC 3030) is read from EHLO and not used: DATA and PIPELINING already cost one write
// and one read a transaction.
//
// # A transaction
//
// The parts of a transaction are separate calls, so that the caller decides when the final dot
// goes out and what goes with it:
//
//	c.Begin(e1)                    // MAIL, RCPT…, DATA: queued
//	a, err := c.ReadEnvelope()     // written, answers read; a.Go(): the server waits for the text
//	c.Body(header, text...)        // queued, at most written, never with its dot
//	                               // … here the caller waits until the outcome before is committed …
//	r, err := c.Finish(e2)         // one write: rest of the text, dot, MAIL, RCPT…, DATA of e2
//	a, err = c.ReadEnvelope()      // the answers for e2 mostly came with r
//
// With PIPELINING a transaction on a busy connection is thus one write and one read; without it
// the same calls go lock-step. The dot is written by Finish and by nothing else, and text is
// written only after its 354, so a caller that must not send a message any more (its lease is
// lost) calls Abort instead and the server throws away what it has (RFC 5321 §4.1.1.10).
//
// Begin and Finish keep the envelope until ReadEnvelope returned; Body keeps its segments until
// Flush or Finish returned. Segments are only read and may be shared by many connections. A text too
// long for memory is read from where it is: prepared by a Stuffer before, it goes out by TextFrom, in
// pieces of 64 KiB; as it came, by BodyFrom.
//
// With Options.LMTP the server answers a text once for each recipient that it accepted: those replies
// are in Answer.Each of the envelope whose text it was, and what Finish returns stands for them all.
//
// # Errors
//
// A refusal is a *smtp.Reply in an Answer or from Finish: the connection lives on. An error is
// always an *Error and the end of the connection, which is closed by then. A Conn belongs to one
// goroutine, apart from Abort.
package smtpclient
