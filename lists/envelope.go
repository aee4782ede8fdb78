package lists

import (
	"io"

	"github.com/google/uuid"

	"muster/smtp"
)

// Envelope is what is known of a message beside the message itself.
type Envelope struct {
	From     smtp.Address // reverse-path; zero for null
	To       []Target     // in the order of the recipients; the same may be there twice
	Each     bool         // every recipient gets an answer of its own, as over LMTP
	Client   string       // network address it came from
	Hello    string       // the name it gave itself
	Trusted  bool         // the client passes on mail of others for us, so its address says nothing of who wrote
	By       Actor        // who authenticated; its Person is 0 for nobody
	UTF8     bool         // the client asked for SMTPUTF8
	Received string       // our Received field up to where FOR would stand, without its name
}

// Message is a message that has arrived, its lines ended by CR LF.
type Message struct {
	Size      int64
	HeaderLen int64 // octets of the header with the empty line that ends it
	EightBit  bool  // there are octets above 127
	UTF8      bool  // there are such octets in the header
	Open      func() io.ReadCloser
}

// Fate is what became of a message for one of its recipients.
type Fate string

// The fates. A refused one is not here: its Outcome says why.
const (
	FateAccepted  Fate = "accepted"  // it goes to the members, the owners, or the admins
	FateHeld      Fate = "held"      // a moderator decides, or the author has to answer a mail
	FateDiscarded Fate = "discarded" // its list's rules threw it away; who sent it is not told
	FateDuplicate Fate = "duplicate" // it was accepted before
	FateDone      Fate = "done"      // a command was obeyed, a bounce was noted
)

// Outcome is the answer for one recipient.
type Outcome struct {
	Fate    Fate
	Post    uuid.UUID // where it was kept
	Refusal *Error    // why it was not taken; nil if it was
}
