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
	switch d.Reason {
	case verdict.RuleFrom:
		return fromSentence
	case verdict.RuleLoop:
		return loopSentence
	case verdict.RuleAutomatic:
		return "Automatic mail is no post to " + l.Address().String()
	case verdict.RuleSize:
		return "The message is too large"
	case verdict.RuleAuthor:
		return authorSentence
	}
	return "Only members may post to " + l.Address().String() + "; join it first, or write to " + l.Role("owner").String()
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
	return &refusals{byCode: map[string]int64{ // what can be is told before it is, so that its first can be seen
		verdict.RuleFrom: 0, verdict.RuleLoop: 0, verdict.RuleAutomatic: 0, verdict.RuleSize: 0, verdict.RuleAuthor: 0,
		verdict.PolicyNotMember: 0, strings.TrimPrefix(CodeDuplicate, refusalCode): 0, codeNobody: 0,
	}}
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
