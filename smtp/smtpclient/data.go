package smtpclient

import (
	"errors"
	"fmt"
	"io"
	"time"

	"muster/smtp"
)

// maxBlock bounds what is queued before it is written, and so what has one Timeouts.Block.
const maxBlock = 256 << 10

// Body adds segments to the text of the message. They are read, not copied, and must stay as they
// are until Flush or Finish returned. A short text stays queued until then, so that it leaves in
// one write with its dot; a long one is written as it comes.
func (c *Conn) Body(segments ...Text) error {
	if err := c.demand(phaseText); err != nil {
		return err
	}
	for _, s := range segments {
		if len(s) == 0 {
			continue
		}
		if c.lineStart && s[0] == '.' && (len(s) < 2 || s[1] != '.') {
			return c.fail(&Error{Stage: StageBody, Err: ErrNotStuffed})
		}
		c.lineStart = s[len(s)-1] == '\n'
		if err := c.queueText(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) queueText(s Text) error {
	for len(s) > 0 {
		if c.queued >= maxBlock {
			if err := c.write(StageBody); err != nil {
				return err
			}
		}
		n := min(len(s), maxBlock-c.queued)
		c.segments = append(c.segments, s[:n])
		c.queued += n
		s = s[n:]
	}
	return nil
}

// BodyFrom adds mail that is not prepared, and returns how many octets it read. An error of r
// closes the connection too: a text that was begun cannot be taken back.
func (c *Conn) BodyFrom(r io.Reader) (int64, error) {
	if err := c.demand(phaseText); err != nil {
		return 0, err
	}
	var (
		total    int64
		in       = make([]byte, 32<<10)
		out      Text
		prepared Stuffer
	)
	for {
		n, err := r.Read(in)
		total += int64(n)
		out = prepared.Append(out[:0], in[:n])
		if e := c.Body(out); e != nil {
			return total, e
		}
		if e := c.Flush(); e != nil {
			return total, e
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, c.fail(&Error{Stage: StageBody, Err: fmt.Errorf("reading the text: %w", err)})
		}
	}
}

// textPiece is how much of a Text that is read is in memory at a time.
const textPiece = 64 << 10

// TextFrom adds Text that is read from r, piece by piece, for one too long to be held in memory by
// every connection. The last piece stays queued, like a short text. An error of r closes the
// connection, as with BodyFrom.
func (c *Conn) TextFrom(r io.Reader) error {
	if err := c.demand(phaseText); err != nil {
		return err
	}
	piece := make(Text, textPiece) // not shared: it is read until Finish returned
	for {
		n, err := fill(piece, r)
		if err != nil && err != io.EOF {
			return c.fail(&Error{Stage: StageBody, Err: fmt.Errorf("reading the text: %w", err)})
		}
		if e := c.Body(piece[:n]); e != nil || err == io.EOF {
			return e
		}
		if e := c.Flush(); e != nil {
			return e
		}
	}
}

// fill reads until p is full or r ends. It is not io.ReadFull, which says of a short last piece what
// some readers say of a text that was cut off.
func fill(p []byte, r io.Reader) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// Flush writes the text queued so far, for a caller that has to wait before Finish.
func (c *Conn) Flush() error {
	if err := c.demand(phaseText); err != nil {
		return err
	}
	return c.write(StageBody)
}

// Finish writes what is left of the text and its final dot, and, where next is not nil, queues
// the next transaction as Begin does; with PIPELINING its commands leave in the same write. The
// reply is the server's answer to the text; nil means that the outcome is unknown (the Error is
// InDoubt). Reply and error may come together: the server answered, and the connection is over.
func (c *Conn) Finish(next *Envelope) (*smtp.Reply, error) {
	if err := c.demand(phaseText); err != nil {
		return nil, err
	}
	if !c.lineStart {
		c.commands = append(c.commands, "\r\n"...)
	}
	c.commands = append(c.commands, ".\r\n"...)
	c.phase = phaseIdle
	answer := c.answer // begin takes the other
	if next != nil {
		c.begin(next)
	}
	if err := c.write(StageDot); err != nil {
		return unfinished(err)
	}
	if c.lmtp {
		return c.readOutcomes(answer)
	}
	c.sent++
	return c.readOutcome()
}

// unfinished is a Finish whose write failed: the dot may have been in what went out.
func unfinished(err error) (*smtp.Reply, error) {
	var failed *Error
	if !errors.As(err, &failed) {
		return nil, err
	}
	failed.InDoubt = failed.Reply == nil
	return failed.Reply, failed
}

func (c *Conn) readOutcome() (*smtp.Reply, error) {
	c.stream.expect(c.timeouts.Dot)
	reply, err := c.replies.reply()
	switch {
	case err != nil:
		return nil, c.fail(&Error{Stage: StageDot, InDoubt: true, Err: err})
	case reply.Code/100 == 3:
		return nil, c.fail(&Error{Stage: StageDot, InDoubt: true, Err: ErrOutOfStep})
	}
	if reply.Code == smtp.CodeUnavailable {
		return reply, c.fail(&Error{Stage: StageDot, Reply: reply, Err: reply})
	}
	return reply, nil
}

// readOutcomes reads the reply to each recipient that was accepted (RFC 2033 §4.2). What it returns is
// the first yes, or else the first no; nil, with an error, where not all have come.
func (c *Conn) readOutcomes(a *Answer) (*smtp.Reply, error) {
	c.sent++
	a.Each = append(a.Each, a.Rcpt...)
	clear(a.Each)
	var said *smtp.Reply
	left := a.Accepted
	for i, refused := range a.Rcpt {
		if refused != nil {
			continue
		}
		reply, err := c.readOutcome()
		a.Each[i] = reply
		left--
		if reply == nil || err != nil && left > 0 {
			return nil, err
		}
		if said == nil || reply.Positive() && !said.Positive() {
			said = reply
		}
		if err != nil {
			return said, err
		}
	}
	return said, nil
}

// write sends queued text, then queued commands, in one system call where the text is short.
func (c *Conn) write(stage Stage) error {
	if len(c.commands) > 0 {
		c.segments = append(c.segments, c.commands)
	}
	if len(c.segments) == 0 {
		return nil
	}
	within := c.timeouts.Block
	if stage != StageDot { // the end of a text is in doubt where it is cut off
		within = c.hurried(within)
	}
	err := c.stream.SetWriteDeadline(time.Now().Add(within))
	if err == nil {
		err = c.writeSegments()
	}
	c.commands, c.queued = c.commands[:0], 0
	if err != nil {
		return c.fail(&Error{Stage: stage, Reply: c.parting(stage), Err: err})
	}
	return nil
}

func (c *Conn) writeSegments() error {
	all := c.segments
	defer func() {
		clear(all)
		c.segments = all[:0]
	}()
	if c.tlsState == nil {
		_, err := c.segments.WriteTo(c.stream.Conn)
		return err
	}
	// TLS would make a record of each segment: short ones go together, long ones need no copy.
	c.scratch = c.scratch[:0]
	for _, s := range all {
		if len(c.scratch)+len(s) > tlsRecord {
			if err := c.writeScratch(); err != nil {
				return err
			}
		}
		if len(s) <= tlsRecord {
			c.scratch = append(c.scratch, s...)
		} else if _, err := c.stream.Conn.Write(s); err != nil {
			return err
		}
	}
	return c.writeScratch()
}

// tlsRecord is the most that a TLS record holds (RFC 8446 §5.1).
const tlsRecord = 16 << 10

func (c *Conn) writeScratch() error {
	if len(c.scratch) == 0 {
		return nil
	}
	_, err := c.stream.Conn.Write(c.scratch)
	c.scratch = c.scratch[:0]
	return err
}

// parting reads what a server said before it closed the connection under a text it did not want
// to read to the end.
func (c *Conn) parting(stage Stage) *smtp.Reply {
	if stage != StageBody && stage != StageDot {
		return nil
	}
	c.stream.expect(time.Second)
	reply, err := c.replies.reply()
	if err != nil || reply.Positive() {
		return nil
	}
	return reply
}
