package smtpserver

import (
	"cmp"
	"time"
)

// Limits is what one client may take. A field that is zero has its default, given here with the
// reply to what goes beyond it. Trusted clients are exempt from those marked (*).
type Limits struct {
	Sessions          int // 1,000 connections at a time in all (*): 421
	SessionsPerClient int // 50 from one IPv4 address or one IPv6 /64 (*): 421

	CommandLine int // 2,048 octets with CR LF (RFC 5321 §4.5.3.1.4 wants 512): 500 5.5.2
	AuthLine    int // 12,288 octets (RFC 4954 §4): 500 5.5.6
	Errors      int // 20 protocol errors a session: 421 4.7.0
	Idle        int // 100 commands since the last message that was accepted (*): 421 4.7.0
	Questions   int // 60 VRFY and EXPN a minute and client (*): 450 4.7.1
	Strangers   int // 100 recipients refused in a session (*), slower and slower after 10: 421 4.7.0
	AuthDelay   int // 3 wrong AUTH at full speed; from then on each is answered late
	AuthErrors  int // 10 wrong AUTH a session: 421 4.7.0

	Message      int64 // 25 MiB: 552 5.3.4, at MAIL if the client says it there
	Header       int   // 256 KiB: 552 5.3.4
	HeaderFields int   // 1,000: 554 5.6.0
	Hops         int   // 100 Received fields (RFC 5321 §6.3): 554 5.4.6
	TextLine     int   // 998 octets without CR LF (RFC 5321 §4.5.3.1.6): 554 5.6.0
	Recipients   int   // 1,000 a transaction (RFC 5321 §4.5.3.1.8 wants 100): 452 4.5.3
	Memory       int   // 256 KiB of a message are held in memory, the rest in a file

	Command     time.Duration // 5 minutes for one command to arrive (RFC 5321 §4.5.3.2.7): 421 4.4.2
	CommandBusy time.Duration // 10 s for that, and for DataPause, while 80 % of Sessions are taken
	DataPause   time.Duration // 3 minutes without an octet of a message (RFC 5321 §4.5.3.2.5): 421 4.4.2
	DataRate    int           // 500 octets a second, reckoned after the first DataPause: 421 4.4.2
	Data        time.Duration // 1 hour for a whole message: 421 4.4.2
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	l.Sessions = cmp.Or(l.Sessions, 1000)
	l.SessionsPerClient = cmp.Or(l.SessionsPerClient, 50)
	l.CommandLine = cmp.Or(l.CommandLine, 2048)
	l.AuthLine = cmp.Or(l.AuthLine, 12288)
	l.Errors = cmp.Or(l.Errors, 20)
	l.Idle = cmp.Or(l.Idle, 100)
	l.Questions = cmp.Or(l.Questions, 60)
	l.Strangers = cmp.Or(l.Strangers, 100)
	l.AuthDelay = cmp.Or(l.AuthDelay, 3)
	l.AuthErrors = cmp.Or(l.AuthErrors, 10)
	l.Message = cmp.Or(l.Message, 25<<20)
	l.Header = cmp.Or(l.Header, 256<<10)
	l.HeaderFields = cmp.Or(l.HeaderFields, 1000)
	l.Hops = cmp.Or(l.Hops, 100)
	l.TextLine = cmp.Or(l.TextLine, 998)
	l.Recipients = cmp.Or(l.Recipients, 1000)
	l.Memory = max(cmp.Or(l.Memory, 256<<10), l.Header+4) // the header is measured in memory
	l.Command = cmp.Or(l.Command, 5*time.Minute)
	l.CommandBusy = cmp.Or(l.CommandBusy, 10*time.Second)
	l.DataPause = cmp.Or(l.DataPause, 3*time.Minute)
	l.DataRate = cmp.Or(l.DataRate, 500)
	l.Data = cmp.Or(l.Data, time.Hour)
	return l
}
