package verdict

import "maps"

// Action is what becomes of a post.
type Action string

// The actions.
const (
	Accept  Action = "accept"
	Hold    Action = "hold"
	Reject  Action = "reject"
	Discard Action = "discard"
	Confirm Action = "confirm" // the sender has to answer a question first
)

// Rules, in the order they are asked. The rule that decides is the reason of the Decision.
const (
	RuleFrom      = "from"      // From is one field with one address
	RuleLoop      = "loop"      // it comes from this very list, or has been round too often
	RuleAutomatic = "automatic" // a person sent it
	RuleSize      = "size"      // it is not too large
	RuleAuthor    = "author"    // who signed in posts as themselves
	// RuleAuthentication is asked where somebody looked who vouches for the message. It decides nothing.
	RuleAuthentication = "authentication"
	RulePolicy         = "policy" // the list's post_policy
	// RuleConfirm is asked last, of what would go out or be held, where the list wants to know who writes.
	RuleConfirm = "confirm"
)

// MaxReceived is how many hops a message may have behind it (RFC 5321 §6.3).
const MaxReceived = 100

// Standing is what the author is to the list.
type Standing struct {
	Member    bool
	Moderates bool // an owner or a moderator
	Trusted   bool // a moderator lets their posts through
}

// Authentication is what was found out about who vouches for a message. The results are words of
// RFC 8601, "" where a check was not made. The zero value says that nobody looked.
type Authentication struct {
	Known   bool
	SPF     string
	DKIM    string
	DMARC   string
	ARC     string
	Auth    string // "pass" where the sender used AUTH
	Policy  string // what the author's domain wants of mail that fails DMARC; "" for no policy
	Aligned bool   // the author's domain vouches for the message, by SPF, DKIM or AUTH
}

// Facts are all that a verdict depends on.
type Facts struct {
	Message    Message
	Size       int64  // octets
	MaxSize    int64  // that are taken; 0: any
	NullSender bool   // the reverse-path is <>
	ListID     string // the list's own, without brackets
	ListKey    string // the key of the list's address
	OwnSeal    bool   // the message names a bounce or leave seal of this very list
	Policy     string // post_policy: "members", "anyone", "moderators"
	Standing   Standing
	// Confirm says that a post which nothing shows to be its author's waits for their answer.
	Confirm bool
	// SignedIn says that the sender used AUTH, AsAuthor that From is an address of theirs.
	SignedIn bool
	AsAuthor bool

	Authentication Authentication
}

// Step is one rule that was asked.
type Step struct {
	Rule   string            `json:"rule"`
	Answer string            `json:"answer"` // "pass", or what was found
	Params map[string]string `json:"params,omitempty"`
}

// Passed is the answer of a rule that found nothing.
const Passed = "pass"

// Decision is what becomes of a post, and why.
type Decision struct {
	Action Action
	Reason string // the rule that decided; RulePolicy for an accepted post
	Answer string // what that rule found; with Confirm, what the policy found
	Then   Action // with Confirm: what becomes of it after the answer
	Trace  []Step
}

// rule looks at the facts: Accept with Passed to go on to the next rule.
type rule struct {
	name string
	ask  func(*Facts) (Action, string)
	when func(*Facts) bool              // nil: always
	with func(*Facts) map[string]string // what belongs to the answer; nil: nothing
}

func rules() []rule {
	return []rule{
		{name: RuleFrom, ask: askFrom},
		{name: RuleLoop, ask: askLoop},
		{name: RuleAutomatic, ask: askAutomatic},
		{name: RuleSize, ask: askSize},
		{name: RuleAuthor, ask: askAuthor},
		{name: RuleAuthentication, ask: askAuthentication, when: somebodyLooked, with: authenticationParams},
	}
}

// Judge asks the rules in order until one decides; the list's policy decides in the end.
func Judge(f Facts) Decision {
	var d Decision
	for _, r := range rules() {
		if r.when != nil && !r.when(&f) {
			continue
		}
		action, answer := r.ask(&f)
		step := Step{Rule: r.name, Answer: answer}
		if r.with != nil {
			step.Params = r.with(&f)
		}
		d.Trace = append(d.Trace, step)
		if action != Accept {
			d.Action, d.Reason, d.Answer = action, r.name, answer
			return d
		}
	}
	d.Action, d.Answer = askPolicy(&f)
	d.Reason = RulePolicy
	d.Trace = append(d.Trace, Step{Rule: RulePolicy, Answer: d.Answer, Params: map[string]string{"policy": f.Policy}})
	d.confirm(&f)
	return d
}

// confirm puts a question before what would become of a post that nothing shows to be by whom From says.
func (d *Decision) confirm(f *Facts) {
	if !f.Confirm || d.Action == Reject || d.Action == Discard {
		return
	}
	step := Step{Rule: RuleConfirm, Answer: Passed}
	if !f.AsAuthor && !f.Authentication.Aligned {
		step.Answer = AuthenticationMissing
		d.Then, d.Action, d.Reason = d.Action, Confirm, RuleConfirm
	}
	d.Trace = append(d.Trace, step)
}

func askFrom(f *Facts) (Action, string) {
	if f.Message.FromFault != "" {
		return Reject, f.Message.FromFault
	}
	return Accept, Passed
}

// What askLoop finds.
const (
	LoopListID = "list-id"
	LoopMark   = "mark"
	LoopSeal   = "seal"
	LoopHops   = "hops"
)

func askLoop(f *Facts) (Action, string) {
	for _, id := range f.Message.ListIDs {
		if id == f.ListID {
			return Reject, LoopListID
		}
	}
	for _, mark := range f.Message.Marks {
		if mark == f.ListKey {
			return Reject, LoopMark
		}
	}
	switch {
	case f.OwnSeal:
		return Reject, LoopSeal
	case f.Message.Received >= MaxReceived:
		return Reject, LoopHops
	}
	return Accept, Passed
}

// AutomaticSender is what askAutomatic finds where only the reverse-path gives it away.
const AutomaticSender = "null-sender"

func askAutomatic(f *Facts) (Action, string) {
	switch {
	case f.Message.Automatic != "":
		return Reject, f.Message.Automatic
	case f.NullSender:
		return Reject, AutomaticSender
	}
	return Accept, Passed
}

// SizeTooBig is what askSize finds.
const SizeTooBig = "too-big"

func askSize(f *Facts) (Action, string) {
	if f.MaxSize > 0 && f.Size > f.MaxSize {
		return Reject, SizeTooBig
	}
	return Accept, Passed
}

// AuthorOther is what askAuthor finds: From is somebody else's.
const AuthorOther = "other"

func askAuthor(f *Facts) (Action, string) {
	if f.SignedIn && !f.AsAuthor {
		return Reject, AuthorOther
	}
	return Accept, Passed
}

func somebodyLooked(f *Facts) bool { return f.Authentication.Known }

// AuthenticationMissing is what askAuthentication finds where nothing shows that the message is by whom
// From says.
const AuthenticationMissing = "missing"

func askAuthentication(f *Facts) (Action, string) {
	if !f.Authentication.Aligned {
		return Accept, AuthenticationMissing
	}
	return Accept, Passed
}

// authenticationParams are the results there are, by method.
func authenticationParams(f *Facts) map[string]string {
	a := f.Authentication
	params := map[string]string{"spf": a.SPF, "dkim": a.DKIM, "dmarc": a.DMARC, "arc": a.ARC, "auth": a.Auth, "policy": a.Policy}
	maps.DeleteFunc(params, func(_, value string) bool { return value == "" })
	return params
}

// Code is the reason in one word, as it is stored: the rule, or for the policy what it found.
func (d Decision) Code() string {
	if d.Reason == RulePolicy {
		return d.Answer
	}
	return d.Reason
}

// What askPolicy finds.
const (
	PolicyModerates  = "moderates"
	PolicyTrusted    = "trusted"
	PolicyAnyone     = "anyone"
	PolicyMember     = "member"
	PolicyNotMember  = "not-member"
	PolicyModeration = "moderation"
)

func askPolicy(f *Facts) (Action, string) {
	switch {
	case f.Standing.Moderates:
		return Accept, PolicyModerates
	case f.Standing.Trusted:
		return Accept, PolicyTrusted
	case f.Policy == "anyone":
		return Accept, PolicyAnyone
	case f.Policy == "moderators":
		return Hold, PolicyModeration
	case f.Standing.Member:
		return Accept, PolicyMember
	}
	return Reject, PolicyNotMember
}
