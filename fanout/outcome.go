package fanout

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// verdict is what a server's answer means for a copy.
type verdict int

const (
	delivered verdict = iota + 1
	retry
	bounce
)

// judge says what a reply means that was given at a stage. A nil reply is a yes.
func judge(stage smtpclient.Stage, r *smtp.Reply) verdict {
	switch {
	case r == nil || r.Code >= 200 && r.Code < 300:
		return delivered
	case r.Code < 500 || r.Code > 599:
		return retry
	case beforeMail(stage) || refusesUs(r):
		return retry
	case stage == smtpclient.StageRcpt && r.Code == smtp.CodeTooBig && r.Enhanced == (smtp.Enhanced{}):
		return retry // 552 for "too many recipients": to be taken as 452 (RFC 5321 §4.5.3.1.10)
	}
	return bounce
}

// beforeMail says whether a stage knows nothing yet of a message: what is refused there is the
// connection, and no recipient is to blame.
func beforeMail(stage smtpclient.Stage) bool {
	switch stage {
	case smtpclient.StageConnect, smtpclient.StageGreeting, smtpclient.StageHello,
		smtpclient.StageTLS, smtpclient.StageAuth, smtpclient.StageReset, smtpclient.StageIdle:
		return true
	}
	return false
}

// refusesUs marks the answers that mean a wrong password or a missing one: an administrator can
// mend that, and a hundred thousand bounces meanwhile would help nobody.
func refusesUs(r *smtp.Reply) bool {
	return r.Code == smtp.CodeAuthRequired || r.Code == smtp.CodeAuthFailed || r.Code == smtp.CodeEncryption
}

// slowDown says whether a reply asks all who go to this server to come slower: 421, 4.7.x.
func slowDown(r *smtp.Reply) bool {
	return r != nil && r.Temporary() && (r.Code == smtp.CodeUnavailable || r.Enhanced[0] == 4 && r.Enhanced[1] == 7)
}

// tooMany says whether a recipient was refused only because the transaction has enough of them.
func tooMany(r *smtp.Reply) bool {
	if r == nil || r.Code != smtp.CodeStorage && r.Code != smtp.CodeTooBig {
		return false
	}
	none := r.Enhanced == (smtp.Enhanced{})
	return none || r.Enhanced[1] == 5 && r.Enhanced[2] == 3
}

// isHard says whether a bounce means that the address itself is no good, rather than the message
// or the moment (RFC 3463 §3.2).
func isHard(stage smtpclient.Stage, r *smtp.Reply) bool {
	if stage != smtpclient.StageRcpt && stage != smtpclient.StageCopy { // both are about one address
		return false
	}
	switch r.Enhanced {
	case smtp.Enhanced{}:
		return r.Code == smtp.CodeNoMailbox || r.Code == smtp.CodeNotLocal || r.Code == smtp.CodeMailboxName
	case smtp.Enhanced{5, 1, 0}, smtp.Enhanced{5, 1, 1}, smtp.Enhanced{5, 1, 2}, smtp.Enhanced{5, 1, 3},
		smtp.Enhanced{5, 1, 6}, smtp.Enhanced{5, 1, 10}, smtp.Enhanced{5, 2, 1}:
		return true
	}
	return false
}

// maxReply bounds what is kept of a server's words, in octets.
const maxReply = 512

// clean makes a peer's words safe to store and show: valid UTF-8 without controls, at most 512
// octets.
func clean(s string) string {
	if len(s) > 4*maxReply {
		s = s[:4*maxReply]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
	if len(s) <= maxReply {
		return s
	}
	end := maxReply
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
