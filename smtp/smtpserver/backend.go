package smtpserver

import (
	"context"

	"muster/smtp"
)

// Backend decides. It is asked once per connection.
type Backend interface {
	// NewSession is called before the greeting. An error ends the connection: a *smtp.Reply is
	// said first (421 or 554), for anything else 421. The server keeps c up to date as the session
	// goes on; the session may read it from within its methods and nowhere else.
	NewSession(ctx context.Context, c *Client) (Session, error)
}

// Session is one client's conversation. The server calls its methods one at a time, with a context
// that ends with the conversation or when Shutdown has no more time to wait for it.
//
// An error that is (or wraps) a *smtp.Reply is said to the client as it is, its text being plain
// ASCII without internals; a positive one means yes in other words. Any other error is logged and
// becomes "451 4.3.0".
type Session interface {
	// Mail begins a transaction; from is zero for the null reverse-path.
	Mail(ctx context.Context, from smtp.Address, p MailParams) error
	// Rcpt adds a recipient. to.Domain is empty only for the bare <postmaster>.
	Rcpt(ctx context.Context, to smtp.Address, p RcptParams) error
	// Data gets the whole message. Once it has returned nil the client is told 250: the message
	// must be safe by then. m is not to be used afterwards.
	Data(ctx context.Context, m *Message) error
	// Reset forgets the transaction. It is also called after Data.
	Reset()
	// Close is the last call.
	Close()
}

// LMTPSession is a Session that answers for each recipient apart. Without it an LMTP server gives
// every recipient the answer of Data.
type LMTPSession interface {
	// DataLMTP returns one error, or nil, for each recipient that Rcpt accepted, in their order.
	DataLMTP(ctx context.Context, m *Message) []error
}

// Expander is a Session that answers EXPN.
type Expander interface {
	// Expand calls line for each member, in order, and stops at the first error that line returns.
	// The server writes as it goes: nothing may be held that others wait for while line runs. An
	// error before the first line is said like any other, with the 252 of RFC 5321 §7.3 among
	// them. After a line has gone out an error closes the connection, so that nobody takes a part
	// of a list for the list. utf8 says that the client takes non-ASCII addresses (RFC 6531 §3.7.4.2);
	// if it does not and there is one, the answer is "252 2.6.8" before any line.
	Expand(ctx context.Context, arg string, utf8 bool, line func(smtp.Mailbox) error) error
}

// Verifier is a Session that answers VRFY. Without it the answer is always 252.
type Verifier interface {
	// Verify returns the reply; nil means 252.
	Verify(ctx context.Context, arg string, utf8 bool) *smtp.Reply
}

// Advertiser is a Session that knows whether EHLO should list EXPN for its client. Without it
// every Expander is listed. It must not block.
type Advertiser interface {
	MayExpand(c *Client) bool
}

// Authenticator is a Session that takes AUTH. It must need the same time for a user that does not
// exist as for a wrong password.
type Authenticator interface {
	// Authenticate returns nil if the password is that user's; Client.User is set then. A
	// *smtp.Reply of 535 means no, any other reply or error that it could not be found out.
	Authenticate(ctx context.Context, user, password string) error
}
