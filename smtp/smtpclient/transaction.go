package smtpclient

import (
	"muster/smtp"
)

// The commands of an envelope by number: RSET where the last one left a mess, MAIL, one RCPT for
// each recipient, DATA.
const (
	commandReset = iota
	commandMail
	commandRcpt
)

// maxGroup bounds the octets of pipelined commands without an answer. What fits into the buffers
// of any TCP can be written while the server waits for us to read its replies, so that the two
// never wait for each other (RFC 2920 §3.1).
const maxGroup = 16 << 10

// cursor is how far an envelope has come.
type cursor struct {
	next    int  // command to be queued next
	read    int  // command to be answered next
	waiting int  // commands queued or sent, without an answer yet
	open    int  // recipients this client did not refuse itself
	mail    bool // MAIL was accepted
	start   bool // DATA was answered 354
}

func (c *Conn) pipelining() bool { return c.ext.Pipelining && !c.lockStep }

// Begin queues the commands of a transaction. They are written by ReadEnvelope.
func (c *Conn) Begin(e *Envelope) error {
	if err := c.demand(phaseIdle); err != nil {
		return err
	}
	if err := c.checkQuiet(StageIdle); err != nil {
		return err
	}
	c.begin(e)
	return nil
}

func (c *Conn) begin(e *Envelope) {
	c.phase, c.envelope = phaseEnvelope, e
	if c.answer == &c.answers[0] {
		c.answer = &c.answers[1]
	} else {
		c.answer = &c.answers[0]
	}
	c.answer.reset(len(e.To))
	c.refuse(e)
	c.cursor = cursor{next: commandMail, read: commandMail}
	if c.dirty {
		c.cursor.next, c.cursor.read = commandReset, commandReset
	}
	for _, refusal := range c.answer.Rcpt {
		if refusal == nil {
			c.cursor.open++
		}
	}
	if c.pipelining() {
		c.queueRound()
	}
}

// ReadEnvelope writes what Begin or Finish queued and reads the answers. Where no recipient was
// accepted the transaction is ended here, also when the server answered DATA with 354 (RFC 2920
// §3.1).
func (c *Conn) ReadEnvelope() (*Answer, error) {
	if err := c.demand(phaseEnvelope); err != nil {
		return nil, err
	}
	for c.cursor.waiting > 0 || c.queueRound() {
		if err := c.write(StageMail); err != nil {
			return nil, err
		}
		for c.cursor.waiting > 0 {
			if err := c.readNext(); err != nil {
				return nil, err
			}
		}
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	return c.answer, nil
}

// queueRound queues the commands that may go out together and says whether there were any.
func (c *Conn) queueRound() bool {
	cur, before := &c.cursor, len(c.commands)
	for c.mayAsk() {
		n := cur.next
		cur.next++
		if c.skips(n) {
			continue
		}
		c.appendCommand(n)
		cur.waiting++
		if !c.pipelining() || len(c.commands)-before >= maxGroup {
			break
		}
	}
	return cur.waiting > 0
}

// mayAsk says whether the next command makes sense after the answers so far.
func (c *Conn) mayAsk() bool {
	cur, data := &c.cursor, commandRcpt+len(c.envelope.To)
	if cur.next > data || cur.open == 0 || c.answer.Mail != nil {
		return false
	}
	return cur.next < data || cur.waiting > 0 || c.answer.Accepted > 0
}

// skips says whether command n is the RCPT of a recipient this client refused itself.
func (c *Conn) skips(n int) bool {
	i := n - commandRcpt
	return i >= 0 && i < len(c.answer.Rcpt) && c.answer.Rcpt[i] != nil
}

func (c *Conn) appendCommand(n int) {
	switch e := c.envelope; {
	case n == commandReset:
		c.commands = append(c.commands, "RSET\r\n"...)
	case n == commandMail:
		c.commands = c.appendMail(c.commands, e)
	case n < commandRcpt+len(e.To):
		c.commands = c.appendRcpt(c.commands, e, n-commandRcpt)
	default:
		c.commands = append(c.commands, "DATA\r\n"...)
	}
}

// readNext reads the answer to the oldest command without one.
func (c *Conn) readNext() error {
	n := c.cursor.read
	c.cursor.read++
	if c.skips(n) {
		return nil
	}
	c.cursor.waiting--
	switch {
	case n == commandReset:
		return c.readReset()
	case n == commandMail:
		return c.readMail()
	case n < commandRcpt+len(c.envelope.To):
		return c.readRcpt(n - commandRcpt)
	}
	return c.readData()
}

// readYesNo reads a reply that is 2yz, or a refusal.
func (c *Conn) readYesNo(stage Stage) (refusal *smtp.Reply, err error) {
	code, reply, err := c.replies.code()
	if err := c.check(stage, code, reply, err); err != nil {
		return nil, err
	}
	if code/100 == 3 {
		return nil, c.fail(&Error{Stage: stage, Err: ErrOutOfStep})
	}
	return reply, nil
}

func (c *Conn) readMail() (err error) {
	c.stream.expect(c.hurried(c.timeouts.Mail))
	c.answer.Mail, err = c.readYesNo(StageMail)
	c.cursor.mail = err == nil && c.answer.Mail == nil
	return err
}

func (c *Conn) readRcpt(i int) (err error) {
	c.stream.expect(c.hurried(c.timeouts.Rcpt))
	c.answer.Rcpt[i], err = c.readYesNo(StageRcpt)
	if err == nil && c.answer.Rcpt[i] == nil {
		c.answer.Accepted++
	}
	return err
}

func (c *Conn) readData() error {
	c.stream.expect(c.hurried(c.timeouts.Data))
	code, reply, err := c.replies.code()
	if err := c.check(StageData, code, reply, err); err != nil {
		return err
	}
	switch {
	case code == smtp.CodeStartMail:
		c.cursor.start = true
	case reply != nil:
		c.answer.Data = reply
	default:
		return c.fail(&Error{Stage: StageData, Err: ErrOutOfStep})
	}
	return nil
}

// settle draws the conclusion of the answers.
func (c *Conn) settle() error {
	a := c.answer
	c.envelope = nil
	switch {
	case !c.cursor.start:
		c.phase = phaseIdle
		// Whether a server keeps sender and recipients after a refused DATA is its secret.
		c.dirty = c.dirty || c.cursor.mail
	case a.Accepted == 0 && c.lmtp: // which must refuse DATA then, and would not answer a dot (RFC 2033 §4.2)
		return c.fail(&Error{Stage: StageData, Err: ErrOutOfStep})
	case a.Accepted == 0:
		c.loneDot()
	case a.Mail != nil:
		// It refused the sender and wants the text for recipients it accepted all the same.
		return c.fail(&Error{Stage: StageData, Err: ErrOutOfStep})
	default:
		c.phase, c.lineStart = phaseText, true
		return c.checkQuiet(StageData)
	}
	return nil
}

// loneDot ends the text that a server wants although it has no recipient (RFC 2920 §3.1). The
// answers are known already, so a connection that breaks now is left for the next call to report.
func (c *Conn) loneDot() {
	c.commands = append(c.commands, ".\r\n"...)
	if c.write(StageDot) != nil {
		return
	}
	c.stream.expect(c.hurried(c.timeouts.Dot))
	if _, err := c.readYesNo(StageDot); err == nil {
		c.phase = phaseIdle
	}
}

// checkQuiet finds a server that has said something unasked.
func (c *Conn) checkQuiet(stage Stage) error {
	if c.replies.Buffered() == 0 {
		return nil
	}
	c.stream.expect(c.timeouts.Quit)
	code, reply, err := c.replies.code()
	if err := c.check(stage, code, reply, err); err != nil {
		return err
	}
	return c.fail(&Error{Stage: stage, Reply: reply, Err: ErrOutOfStep})
}
