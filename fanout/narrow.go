package fanout

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"muster/lists/dkim"
	"muster/smtp"
	"muster/smtp/smtpclient"
)

// narrow is a message as servers without 8BITMIME get it, made for the first of them that is met. Of
// a long one that is in a file too; while it is made it is in memory.
type narrow struct {
	made func() (*message, error)
	done atomic.Pointer[message] // what was made
}

// size is what is held of it in memory, 0 as long as no server wanted it.
func (n *narrow) size() int64 {
	if n == nil {
		return 0
	}
	if m := n.done.Load(); m != nil {
		return int64(cap(m.after))
	}
	return 0
}

func (n *narrow) close() {
	if n == nil {
		return
	}
	if m := n.done.Load(); m != nil && m.long != nil {
		m.long.close()
	}
}

// mayNarrow prepares for servers without 8BITMIME. It is called before the message is signed: its
// other form has signatures of its own. In dir its file is made, where the message is in one.
func (m *message) mayNarrow(keys []*dkim.Key, at time.Time, dir string) {
	if !m.eightbit {
		return
	}
	made := &message{
		id: m.id, before: m.before, utf8: m.utf8, sender: m.sender, host: m.host, personal: m.personal, seals: m.seals, day: m.day,
		voices: m.voices, size: m.size, tracked: m.tracked, receipt: m.receipt,
	}
	n := &narrow{}
	n.made = sync.OnceValues(func() (*message, error) {
		if err := made.convert(m, keys, at, dir); err != nil {
			return nil, err
		}
		n.done.Store(made)
		return made, nil
	})
	m.narrow = n
}

// convert makes m what of has, without octets above 127 in its body. Trouble with files is a diskError.
func (m *message) convert(of *message, keys []*dkim.Key, at time.Time, dir string) (err error) {
	defer func() {
		if r := recover(); r != nil { // over a strange message: it is the message's fault, not the worker's
			err = fmt.Errorf("%w (%v)", errUnconvertible, r)
		}
	}()
	text := of.after
	if of.long != nil {
		if text, err = io.ReadAll(of.long.open()); err != nil {
			return err
		}
	}
	converted, err := toSevenBit(unstuffed(text))
	if err != nil {
		return err
	}
	after := smtpclient.Prepare(converted)
	m.size += int64(len(after) - len(text))
	if of.long == nil {
		m.after = after
		return m.sign(keys, at)
	}
	if m.long, err = newLongText(dir); err != nil {
		return err
	}
	if err = m.long.append(after); err == nil && len(keys) > 0 {
		rest := dkim.NewRest()
		_, _ = rest.Write(converted) // which does not fail
		err = m.signRest(keys, rest, at)
	}
	if err != nil {
		m.long.close()
	}
	return err
}

// fit makes a batch one that a server can be given. A refusal is for all of its recipients; an error
// is one of the message's file. What the server lacks SMTPUTF8 for is refused by the client.
func (b *batch) fit(x *smtpclient.Extensions) (*smtp.Reply, error) {
	m := b.message
	if !m.eightbit || m.narrow == nil || x.EightBit || m.utf8 && !x.UTF8 {
		return nil, nil
	}
	made, err := m.narrow.made()
	if isDisk(err) {
		return nil, err
	}
	if err != nil {
		return notForIt(err), nil
	}
	b.message = made
	b.envelope.Size, b.envelope.EightBit = made.size, false
	if made.personal {
		b.personalise(made)
	}
	b.envelope.Size += int64(len(b.original))
	return nil, nil
}
