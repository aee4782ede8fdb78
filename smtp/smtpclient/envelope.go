package smtpclient

import (
	"strconv"

	"muster/smtp"
)

// Envelope is what one transaction says before the text.
type Envelope struct {
	From smtp.Address // zero: the null reverse-path
	To   []smtp.Address
	// Size is the length of the text in octets for SIZE=, 0 where it is not known.
	Size int64
	// EightBit says BODY=8BITMIME where the server offers it. Where it does not (Extensions), it is
	// up to the caller to convert the text: here it goes out as it is.
	EightBit bool
	// UTF8 marks a text whose header is internationalised (RFC 6532): it is not given to a server
	// without SMTPUTF8.
	UTF8 bool
	// DSN parameters (RFC 3461), used where offered: Notify like "NEVER" or "FAILURE,DELAY" for
	// every recipient, Return "FULL" or "HDRS", ID as plain text. Original names each recipient as
	// the one that was meant (ORCPT), so that a report can tell of it after the mail was forwarded.
	Notify   string
	Return   string
	ID       string
	Original bool
}

// Answer is what became of an envelope. It belongs to the connection and holds until the next
// ReadEnvelope, so also while Finish sends the envelope after it. A nil reply means yes.
type Answer struct {
	// Mail is the refusal of MAIL, for all recipients.
	Mail *smtp.Reply
	// Rcpt has one entry for each recipient, in order.
	Rcpt []*smtp.Reply
	// Data is the refusal of DATA.
	Data *smtp.Reply
	// Each has one entry for each recipient once Finish has returned, where the server speaks LMTP:
	// what it said of that one's copy, nil where it said nothing. Else it is empty.
	Each []*smtp.Reply
	// Accepted counts the recipients that were accepted.
	Accepted int
	// Local: a refusal above is this client's own, because the server lacks SMTPUTF8 or announces
	// a smaller SIZE; its text says so.
	Local bool
}

// Go says whether the server answered 354 and has a recipient: Body and Finish come next.
// Otherwise the transaction is over, and Begin may follow.
func (a *Answer) Go() bool { return a.Mail == nil && a.Data == nil && a.Accepted > 0 }

// Refusal is why recipient i will not get the message, or nil where that is up to Finish.
func (a *Answer) Refusal(i int) *smtp.Reply {
	switch {
	case a.Mail != nil:
		return a.Mail
	case a.Rcpt[i] != nil:
		return a.Rcpt[i]
	}
	return a.Data
}

func (a *Answer) reset(recipients int) {
	if cap(a.Rcpt) < recipients {
		a.Rcpt = make([]*smtp.Reply, recipients)
	}
	a.Rcpt = a.Rcpt[:recipients]
	clear(a.Rcpt)
	a.Each = a.Each[:0]
	a.Mail, a.Data, a.Accepted, a.Local = nil, nil, 0, false
}

// The refusals that this client gives itself (RFC 1870 §6.1, RFC 6531 §3.5).
func tooBig(size, limit int64) *smtp.Reply {
	return smtp.NewReply(smtp.CodeTooBig, smtp.StatusTooBig, "message of "+strconv.FormatInt(size, 10)+
		" octets, the server takes "+strconv.FormatInt(limit, 10))
}

func needsUTF8(e smtp.Enhanced) *smtp.Reply {
	return smtp.NewReply(smtp.CodeMailboxName, e, "the server does not offer SMTPUTF8")
}

// refuse notes what need not be asked of this server.
func (c *Conn) refuse(e *Envelope) {
	a := c.answer
	switch limit := c.ext.Size; {
	case limit > 0 && e.Size > limit:
		a.Mail = tooBig(e.Size, limit)
	case c.ext.UTF8:
		return
	case e.UTF8:
		a.Mail = needsUTF8(smtp.Enhanced{5, 6, 9})
	case !plainASCII(e.From.Local):
		a.Mail = needsUTF8(smtp.Enhanced{5, 6, 7})
	}
	a.Local = a.Mail != nil
	for i := range e.To {
		if !c.ext.UTF8 && !plainASCII(e.To[i].Local) {
			a.Rcpt[i], a.Local = needsUTF8(smtp.Enhanced{5, 6, 7}), true
		}
	}
}

// plainASCII says whether s can be given to any server.
func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
