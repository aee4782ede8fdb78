package lists

import (
	"maps"
	"strings"
	"sync"

	"muster/lists/verdict"
)

// Codes of refusals begin with this and end with the code of what decided.
const refusalCode = "post."

// CodeDuplicate is the code of a refusal because of another message with the same Message-ID.
const CodeDuplicate = refusalCode + "duplicate"

// Sentences that are the same for every list.
const (
	fromSentence   = "The message must have one From field with one address"
	loopSentence   = "The list has sent this message before: this is a mail loop"
	authorSentence = "You are signed in as somebody else than the author in From"
)

// refusal is why a list does not take a post, in words for who sent it. They are ASCII and name
// nothing but what the sender knows.
func refusal(l List, d verdict.Decision) *Error {
	return refuse(l, d.Code(), refusalSentence(l, d))
}

func refusalSentence(l List, d verdict.Decision) string {
	list := l.Address().String()
	switch d.Reason {
	case verdict.RuleFrom:
		return fromSentence
	case verdict.RuleLoop:
		return loopSentence
	case verdict.RuleAutomatic:
		return "Automatic mail is no post to " + list
	case verdict.RuleSize:
		return sizeSentence(list, d)
	case verdict.RuleAuthor:
		return authorSentence
	case verdict.RuleAuthentication:
		return authenticationSentence(d)
	case verdict.RuleHeader:
		return "A rule on the header keeps this message out of " + list + "; ask " + l.Role("owner").String()
	case verdict.RuleSpam:
		return "The message was taken for spam"
	case verdict.RuleMIME:
		return mimeSentence(list, d)
	case verdict.RuleRecipients:
		return "The message is to too many addresses"
	case verdict.RuleSubject:
		return "The message has no subject"
	case verdict.RuleAddressed:
		return "The message names " + list + " neither in To nor in Cc"
	case verdict.RuleCommand:
		return commandSentence(l, d)
	case verdict.RuleDigest:
		return "The message answers a digest: please name what it is about in Subject, and quote only that"
	case verdict.RuleRate:
		return "You have posted to " + list + " too often; try again later"
	case verdict.RuleBan, verdict.RuleOverride:
		return "You may not post to " + list + "; ask " + l.Role("owner").String()
	}
	if d.Answer == verdict.PolicyMembers || d.Answer == verdict.PolicyModeration {
		return "Members may not post to " + list + "; write to " + l.Role("owner").String()
	}
	return "Only members may post to " + list + "; join it first, or write to " + l.Role("owner").String()
}

func sizeSentence(list string, d verdict.Decision) string {
	if d.Answer == verdict.SizeOver {
		return "The message is too large: " + list + " takes " + d.Param("most") + " octets at most"
	}
	return "The message is too large"
}

func authenticationSentence(d verdict.Decision) string {
	if d.Answer == verdict.AuthenticationDMARC {
		return "The message fails DMARC, and the domain in From asks that such mail be kept out"
	}
	return "Nothing shows that the message is by its author: send it through your own provider"
}

func mimeSentence(list string, d verdict.Decision) string {
	switch d.Answer {
	case verdict.MIMEBomb:
		return "The message has too many parts, or too many inside each other"
	case verdict.MIMENotText:
		return list + " takes plain text only: send the message without HTML and attachments"
	}
	return list + " does not take " + toASCII(d.Param("type"))
}

// toASCII makes what a sender wrote fit for a reply.
func toASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, clip(s))
}

func commandSentence(l List, d verdict.Decision) string {
	switch d.Answer {
	case verdict.CommandLeave:
		return "To leave " + l.Address().String() + " write to " + l.Role("leave").String()
	case verdict.CommandJoin:
		return "To join " + l.Address().String() + " write to " + l.Role("join").String()
	}
	return "This looks like a command; write it to " + l.Role("request").String()
}

func refuse(l List, code, sentence string) *Error {
	return &Error{Kind: Denied, Code: refusalCode + code, Msg: sentence, Params: map[string]any{"List": l.Address().String()}}
}

func duplicate(l List) *Error {
	e := refuse(l, "duplicate", "Another message with this Message-ID was posted to "+l.Address().String())
	e.Kind = Exists
	return e
}

func unknownRecipient(t Target) *Error {
	return &Error{Kind: NotFound, Code: "recipient.unknown", Msg: "There is no such address here"}
}

// refusals counts by code. The codes are words of this program, so there are few, whatever is sent.
type refusals struct {
	mu     sync.Mutex
	byCode map[string]int64
}

func newRefusals() *refusals {
	// What can be is told before it is, so that its first can be seen.
	byCode := map[string]int64{strings.TrimPrefix(CodeDuplicate, refusalCode): 0, codeNobody: 0}
	for _, r := range verdict.Rules() {
		switch r.Name {
		case verdict.RuleApproved, verdict.RuleEmergency, verdict.RuleNewcomer, verdict.RuleAllowed: // refuse nothing
		case verdict.RulePolicy:
			byCode[verdict.PolicyNotMember], byCode[verdict.PolicyMembers] = 0, 0
		default:
			byCode[r.Name] = 0
		}
	}
	return &refusals{byCode: byCode}
}

func (r *refusals) add(outcomes []Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range outcomes {
		if o.Refusal != nil {
			r.byCode[strings.TrimPrefix(o.Refusal.Code, refusalCode)]++
		}
	}
}

// Refusals is how often Accept refused a message since the Service was made, each counted once for
// each recipient, by the code of what decided.
func (s *Service) Refusals() map[string]int64 {
	s.refused.mu.Lock()
	defer s.refused.mu.Unlock()
	return maps.Clone(s.refused.byCode)
}
