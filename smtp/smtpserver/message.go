package smtpserver

import (
	"io"
)

// Message is a message that has arrived: lines end with CR LF and nothing else, none is longer
// than the limit, the last one is complete, and dots are unstuffed.
type Message struct {
	Size      int64 // octets
	HeaderLen int64 // octets of the header with the empty line that ends it; Size if there is none
	EightBit  bool  // there are octets above 127
	UTF8      bool  // there are octets above 127 in the header: a copy needs SMTPUTF8

	spool *spool
}

// Open reads the message from its beginning. It may be called again and again, and the readers
// used side by side, until the call that was given the message returns.
func (m *Message) Open() io.ReadCloser {
	return io.NopCloser(m.spool.open())
}
