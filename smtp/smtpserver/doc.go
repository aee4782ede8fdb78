// Package smtpserver is the receiving end of SMTP and LMTP: it talks to the client, holds it to the
// rules and to the limits, and asks a Backend what to do. It knows nothing of lists or databases.
//
// It implements
//
//   - RFC 5321, Simple Mail Transfer Protocol: HELO EHLO MAIL RCPT DATA RSET NOOP QUIT HELP VRFY EXPN
//   - RFC 5322, as far as the header is counted: its fields and its end
//   - RFC 2033, LMTP: LHLO, and a reply to each recipient at the end of the data
//   - RFC 2920, PIPELINING
//   - RFC 1870, SIZE
//   - RFC 6152, 8BITMIME
//   - RFC 6531, SMTPUTF8, also as the parameter of VRFY and EXPN
//   - RFC 2034 and RFC 3463, ENHANCEDSTATUSCODES: in every reply after EHLO, in none after HELO
//   - RFC 3030, CHUNKING (BDAT); BINARYMIME is not offered
//   - RFC 3207, STARTTLS; RFC 8314 where the listener itself speaks TLS
//   - RFC 4954, AUTH: PLAIN (RFC 4616) and LOGIN
//   - RFC 9422, LIMITS: RCPTMAX
//   - RFC 5322, of which it knows where a header ends and which fields are Received
//
// # How a session runs
//
// Serve accepts; each connection is one goroutine that runs one session: read a command, look it up
// in a table, call its handler, write the reply the handler returned, count it. Output is flushed
// when the session is about to wait for input, and not before, so that a pipelined group of
// commands is answered in one write. A handler never touches the socket, but for the three that must:
// DATA and BDAT read a message, EXPN streams its lines.
//
// Only CR LF "." CR LF ends a message. What is wrong with a message is told at its true end, after
// all of it was read, so that no octet of a message is ever taken for a command.
//
// # Starting and stopping
//
// Serve runs until Shutdown or until its listener fails for good. Shutdown may be called once or many
// times; it stops listening, lets messages that are arriving or being decided on come to their end,
// says 421 to everybody else, and returns when the last goroutine is gone. When its context ends
// first, the remaining connections are closed under their clients, and nothing half-received is kept.
package smtpserver
