package smtptest

import (
	"fmt"
	"strings"
	"time"

	"muster/smtp"
)

// Point is a place in the dialogue where a script may step in.
type Point int

// The points in order. At Data, Text and Kept there is no reply to choose, only Drop and Delay.
// Replies that a pipelining client has not got yet are lost at a Drop.
const (
	Connect Point = iota // before the greeting
	Mail
	Rcpt
	Data // before 354; not seen under TLS
	Text // when the first octet of the text arrives; not seen under TLS
	Dot  // the text is complete, and not kept yet
	Kept // the message is kept, and not answered yet
	points
)

// Event is what a script is asked about.
type Event struct {
	Point Point
	N     int // the how many-th event of this point at this server, from 1
	Conn  int // the how many-th connection, from 1
	From  smtp.Address
	To    smtp.Address // at Rcpt
	Try   int          // at Rcpt: the how many-th RCPT of this recipient, from 1
	// Message is the message at Dot and Kept.
	Message *Message
}

// Action is what a script wants done; zero: go on.
type Action struct {
	Reply *smtp.Reply   // said instead of yes
	Drop  bool          // the connection is closed without an answer
	Delay time.Duration // before any of it
}

// Refuse is the Action that only says reply; nil is yes.
func Refuse(reply *smtp.Reply) Action { return Action{Reply: reply} }

// Reply makes a reply from its parts; enhanced is like "5.1.1" or empty.
func Reply(code int, enhanced, text string) *smtp.Reply {
	r := smtp.NewReply(code, smtp.Enhanced{}, text)
	if enhanced == "" {
		return r
	}
	n, err := fmt.Sscanf(enhanced, "%d.%d.%d", &r.Enhanced[0], &r.Enhanced[1], &r.Enhanced[2])
	if err != nil || n != 3 || strings.Count(enhanced, ".") != 2 {
		panic("smtptest: not an enhanced status code: " + enhanced)
	}
	return r
}
