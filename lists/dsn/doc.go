// Package dsn reads delivery status notifications: mail in which a server says what became of other
// mail; and message disposition notifications, in which a reader's program says what became of it there.
// It is pure: octets in, a report out. What is no such notification, or one in a form of its
// own, is of kind Unknown.
//
// It follows
//
//   - RFC 3464, an extensible message format for delivery status notifications
//   - RFC 3463, enhanced status codes
//   - RFC 6522, multipart/report
//   - RFC 8098, message disposition notifications
//   - RFC 6533, both beyond ASCII
package dsn
