package smtpserver

import (
	"context"
	"errors"

	"muster/smtp"
)

var errNotASCII = errors.New("a member's address is not ASCII")

// expn is EXPN (RFC 5321 §4.1.1.7): a line for each member, written as the backend finds them, so
// that a list of a million takes no more memory than a list of two.
func (s *session) expn(ctx context.Context, arg string) (*smtp.Reply, error) {
	expander, ok := s.backend.(Expander)
	if !ok {
		return smtp.NewReply(smtp.CodeNotImplemented, smtp.StatusBadSequence, "EXPN is not done here"), nil
	}
	who, takesUTF8, refusal := s.question("EXPN", arg)
	if refusal != nil {
		return refusal, nil
	}
	lines := expansion{session: s, takesUTF8: takesUTF8, reply: smtp.Reply{Code: smtp.CodeOK, Enhanced: smtp.StatusAddressOK}}
	err := expander.Expand(ctx, who, takesUTF8, lines.add)
	switch {
	case lines.written:
		// Lines have gone out: without a last one nobody can take them for the list.
		if err != nil {
			s.log.Error("expansion cut off", "of", who, "error", err)
			return nil, errCut
		}
	case errors.Is(err, errNotASCII):
		return needsUTF8Reply(), nil
	case err != nil:
		return speakable(s.answer("expansion", err, nil), takesUTF8), nil
	case !lines.holds:
		return cannotSay(), nil
	}
	lines.reply.Lines = []string{string(lines.held)}
	return &lines.reply, nil
}

// offersExpn says whether EHLO lists EXPN (RFC 5321 §3.5.2).
func (s *session) offersExpn() bool {
	if _, ok := s.backend.(Expander); !ok {
		return false
	}
	advertiser, ok := s.backend.(Advertiser)
	return !ok || advertiser.MayExpand(&s.client)
}

// expansion writes the lines of EXPN one behind: the last must have a space where the others have
// a hyphen, and which is the last is known when no other comes.
type expansion struct {
	session   *session
	takesUTF8 bool
	reply     smtp.Reply
	held      []byte // the text of the line that is not written yet
	holds     bool
	written   bool
}

func (e *expansion) add(m smtp.Mailbox) error {
	if !e.takesUTF8 && !m.Address.ASCII() {
		return errNotASCII
	}
	if e.holds {
		if err := e.write(); err != nil {
			return err
		}
	}
	e.held, e.holds = m.AppendReply(e.held[:0], e.takesUTF8), true
	return nil
}

// write sends the line that was held back.
func (e *expansion) write() error {
	b, err := e.session.wire.room()
	if err != nil {
		return err
	}
	b = e.reply.AppendCodes(b, e.session.client.Extended, false)
	b = append(b, e.held...)
	_, err = e.session.wire.out.Write(append(b, '\r', '\n'))
	e.written = true
	return err
}
