package fanout

import (
	"context"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// transport is a connection to a server that takes mail, whatever is spoken on it. It carries one batch
// after the other, in the steps that smtpclient has: what decides on a batch (finish) is apart from all
// before it, so that the dot gate is the same for all. Errors are *smtpclient.Error, and the end of the
// connection.
//
// What differs from batch to batch is passed whole, never octet by octet: an SMTP copy costs four calls
// through this, and no allocation.
type transport interface {
	// begin queues what is said of a batch before its text.
	begin(b *batch) error
	// answer is what was said to that. It holds until the next call.
	answer() (*smtpclient.Answer, error)
	// text gives the text, or a part of it: none of it counts before finish.
	text(b *batch) error
	// finish has the server take the text, and begins with next, if there is one. Its reply is for all
	// for whom Answer.Each has none. An error that is errUnsent, or one of the message's file, says that
	// the server cannot have taken it.
	finish(next *batch) (*smtp.Reply, error)

	// Extensions says what the server can be given.
	Extensions() *smtpclient.Extensions
	// Sent counts the batches that were finished.
	Sent() int
	// Idle says whether nothing is under way.
	Idle() bool
	// Hurry bounds each wait before finish, 0 for no longer.
	Hurry(most time.Duration)
	// Abort ends the connection as it is, from anywhere.
	Abort()
	// Quit ends it politely.
	Quit()
}

// dialogue is a connection by SMTP or LMTP.
type dialogue struct{ *smtpclient.Conn }

func (c dialogue) begin(b *batch) error                { return c.Begin(&b.envelope) }
func (c dialogue) answer() (*smtpclient.Answer, error) { return c.ReadEnvelope() }
func (c dialogue) text(b *batch) error                 { return b.message.send(c.Conn, b.original, b.personal) }
func (c dialogue) finish(next *batch) (*smtp.Reply, error) {
	if next == nil {
		return c.Finish(nil)
	}
	return c.Finish(&next.envelope)
}

// connect makes a connection to one server, and learns from how that went.
func (l *lane) connect(ctx context.Context, h hop, o smtpclient.Options) (transport, error) {
	if h.to != nil {
		p, err := dialPostback(ctx, h, o)
		if l.traffic.soft.Err() == nil {
			l.learn(h, false, err)
		}
		if err != nil { // and no transport, not even a nil one
			return nil, err
		}
		return p, nil
	}
	conn, err := smtpclient.Dial(ctx, h.addr, o)
	if l.traffic.soft.Err() == nil {
		l.learn(h, err == nil && conn.TLSError() != nil, err)
	}
	if err != nil {
		return nil, err
	}
	l.offers(h, conn)
	l.examine(h, conn)
	return dialogue{conn}, nil
}
