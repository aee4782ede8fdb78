package smtpserver

import (
	"muster/smtp"
)

// intake takes a message in, by DATA or by the chunks of BDAT. It goes on taking, and keeps nothing,
// once something is wrong: what is wrong is said when the message has ended.
type intake struct {
	limits  *Limits
	spool   spool
	text    text
	size    int64
	refusal *smtp.Reply
	err     error // behind a refusal that is our own fault, for the log
}

// begin makes it ready for a message.
func (in *intake) begin() {
	in.discard()
	in.text = text{limit: in.limits.TextLine}
	in.size, in.refusal, in.err = 0, nil, nil
}

// add takes the next piece.
func (in *intake) add(p []byte) {
	in.size += int64(len(p))
	if in.refusal != nil {
		return
	}
	if in.size > in.limits.Message {
		in.refuse(tooBig())
		return
	}
	if f := in.text.scan(p); f != faultNone {
		in.refuse(f.reply())
		return
	}
	in.keep(p)
}

func (in *intake) keep(p []byte) {
	if _, err := in.spool.Write(p); err != nil {
		in.err = err
		in.refuse(smtp.NewReply(smtp.CodeStorage, smtp.Enhanced{4, 3, 1}, "No room to store the message now; try again later"))
	}
}

func (in *intake) refuse(r *smtp.Reply) {
	in.refusal = r
	in.discard()
}

// discard gives the room back.
func (in *intake) discard() {
	if err := in.spool.reset(); err != nil && in.err == nil {
		in.err = err
	}
}

// message is the message that has arrived, or why it is refused.
func (in *intake) message() (*Message, *smtp.Reply) {
	if f := in.text.end(); f != faultNone && in.refusal == nil {
		in.refuse(f.reply())
	}
	if in.refusal == nil && in.text.inLine() {
		// The last chunk of BDAT may end anywhere, but a copy of it will be sent with DATA.
		in.keep([]byte("\r\n"))
	}
	if in.refusal != nil {
		return nil, in.refusal
	}
	h := measure(in.spool.head)
	if r := in.limits.header(h); r != nil {
		in.refuse(r)
		return nil, r
	}
	return &Message{
		Size:      in.spool.size(),
		HeaderLen: int64(h.len),
		EightBit:  in.text.eightBit,
		UTF8:      h.utf8,
		spool:     &in.spool,
	}, nil
}

// header says what is wrong with a header of that size.
func (l *Limits) header(h header) *smtp.Reply {
	switch {
	case h.len > l.Header:
		return smtp.NewReply(smtp.CodeTooBig, smtp.StatusTooBig, "The header of the message is too large")
	case h.fields > l.HeaderFields:
		return smtp.NewReply(smtp.CodeFailed, smtp.StatusBadContent, "The message has too many header fields")
	case h.hops >= l.Hops:
		return smtp.NewReply(smtp.CodeFailed, smtp.StatusLoop, "The message has passed too many servers: this is a mail loop")
	}
	return nil
}

func tooBig() *smtp.Reply {
	return smtp.NewReply(smtp.CodeTooBig, smtp.StatusTooBig, "The message is too large")
}

// reply is what to say of a fault.
func (f fault) reply() *smtp.Reply {
	sentence := "A line of the message is too long (RFC 5322 allows 998 octets); send it as quoted-printable or base64"
	switch f {
	case faultBareCR:
		sentence = "The message has a CR without LF; lines must end with CR LF"
	case faultBareLF:
		sentence = "The message has an LF without CR; lines must end with CR LF"
	}
	return smtp.NewReply(smtp.CodeFailed, smtp.StatusBadContent, sentence)
}
