package verdict

// Action is what becomes of a post.
type Action string

// The actions.
const (
	Accept  Action = "accept"
	Hold    Action = "hold"
	Confirm Action = "confirm" // it waits until its author answers that it is theirs, or a moderator decides
	Reject  Action = "reject"
	Discard Action = "discard"
)

// Standing is what the author is to the list.
type Standing struct {
	Member     bool
	Moderates  bool   // an owner or a moderator
	Trusted    bool   // a moderator lets their posts through
	Moderation Action // what becomes of this member's posts; "" for what becomes of any member's
	New        bool   // a member whose first posts are held
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

// Ban is the entry of a list's or the site's bans that is for a sender.
type Ban struct {
	Pattern string
	Site    bool
	Action  Action
}

// Need is facts that are only found where a rule asks for them, as finding them takes a question to somebody
// or reading more than the header.
type Need uint

// The needs.
const (
	NeedBan Need = 1 << iota
	NeedPassword
	NeedAuthentication
	NeedText
	NeedStructure
	NeedRate
	NeedNeighbour
)

// Facts are all that a verdict depends on.
type Facts struct {
	Message    Message
	Header     []byte // up to and with its empty line
	Size       int64  // octets
	MaxSize    int64  // that are taken; 0: any
	NullSender bool   // the reverse-path is <>
	ListID     string // the list's own, without brackets
	ListKey    string // the key of the list's address
	OwnSeal    bool   // the message names a bounce or leave seal of this very list
	Policy     string // post_policy: "members", "anyone", "moderators"
	Standing   Standing
	// SignedIn says that the sender used AUTH, AsAuthor that From is an address of theirs.
	SignedIn bool
	AsAuthor bool

	Options   Options      // of the list
	SiteRules []HeaderRule // of the site
	Banned    bool         // there are bans, of the list or the site

	Authentication Authentication

	// Have says which of these are known: what a rule needs and is not here, Judge asks for.
	Have      Need
	Ban       *Ban          // that is for the sender; nil for none
	Password  PasswordState // of the one in Approved
	Text      string        // the beginning of the message as a person reads it
	Structure Structure
	Recent    int    // posts of the author in the time of post_rate, this one among them
	Neighbour string // key of a list among allowed_posters that the author is a member of
}

// PasswordState is what a password came to.
type PasswordState int

// The states.
const (
	PasswordWrong PasswordState = iota
	PasswordRight
	PasswordUnread // too many wrong ones came before
)

// Step is one rule that was asked.
type Step struct {
	Rule   string            `json:"rule"`
	Answer string            `json:"answer"`           // "pass", or what was found
	Action Action            `json:"action,omitempty"` // what is done for it, where that is not to go on
	Params map[string]string `json:"params,omitempty"`
}

// Passed is the answer of a rule that found nothing.
const Passed = "pass"

// Decision is what becomes of a post, and why.
type Decision struct {
	Action Action
	Reason string // the rule that decided; RulePolicy for a plain post
	Answer string // what that rule found; where RuleConfirm decided, what the one before it did
	Then   Action // with Confirm: what becomes of it after the answer
	Trace  []Step
	// Needs is what has to be found out first; then nothing is decided yet.
	Needs Need
}

// Code is the reason in one word, as it is stored: the rule, or for the policy what it found.
func (d Decision) Code() string {
	if d.Reason == RulePolicy {
		return d.Answer
	}
	return d.Reason
}

// Param is what belongs to the answer that decided.
func (d Decision) Param(name string) string {
	for _, s := range d.Trace {
		if s.Rule == d.Reason {
			return s.Params[name]
		}
	}
	return ""
}

// Decided says whether a step of a trace is the one that decided, by the code that is stored.
func (s Step) Decided(code string) bool {
	return s.Rule == code || s.Rule == RulePolicy && s.Answer == code
}

// finding is what a rule says. With no action the next rule is asked.
type finding struct {
	action Action
	answer string
	params map[string]string
	anyway bool // what was held before goes out too
}

// Judge asks the rules in order, and at the very end whether the author is to be asked. One that accepts, rejects or discards ends it: but what an earlier rule
// holds, a later one can only refuse, and where the sender shall confirm, also hold. So a post that would be
// refused anyway waits for nobody. A moderator's password lets out what is held.
func Judge(f *Facts) Decision {
	var d Decision
	over := false
	for _, r := range rules() {
		last := r.name == RuleConfirm
		if over && !last || last && !d.mayAsk() || r.when != nil && !r.when(f) {
			continue
		}
		if r.needs != nil {
			if d.Needs = r.needs(f) &^ f.Have; d.Needs != 0 {
				return d
			}
		}
		found := r.ask(f)
		d.Trace = append(d.Trace, Step{Rule: r.name, Answer: found.answer, Action: found.shown(), Params: found.params})
		if last {
			d.question(found)
		} else {
			over = d.take(r.name, found)
		}
	}
	return d
}

// mayAsk says whether there is something that an answer of the author could let go: not what is refused, and not
// what a password or a rule on header fields has let through.
func (d *Decision) mayAsk() bool {
	switch d.Action {
	case Accept:
		return d.Reason != RuleApproved && d.Reason != RuleHeader
	case Hold:
		return true
	}
	return false
}

// question puts a question to the author before what was decided.
func (d *Decision) question(found finding) {
	if found.action == Confirm {
		d.Then, d.Action, d.Reason = d.Action, Confirm, RuleConfirm
	}
}

// take lets a finding decide, and says whether there is no more to ask.
func (d *Decision) take(rule string, found finding) bool {
	if found.action == "" {
		return false
	}
	if d.Action == "" || found.anyway || found.action.strength() > d.Action.strength() { // of two that hold the first is the reason
		d.Action, d.Reason, d.Answer = found.action, rule, found.answer
		if d.Then = ""; d.Action == Confirm {
			d.Then = Accept
		}
	}
	return found.action != Hold && found.action != Confirm
}

// shown leaves out of a trace what goes without saying.
func (f finding) shown() Action {
	if f.action == Accept {
		return ""
	}
	return f.action
}

// strength orders the actions: what is held is not let go by a later rule, and what is refused is.
func (a Action) strength() int {
	switch a {
	case Confirm:
		return 1
	case Hold:
		return 2
	case Reject, Discard:
		return 3
	}
	return 0
}

// act is a finding for which the list has chosen what is done; off where that is to accept.
func act(a Action, answer string) finding {
	if a == Accept {
		a = ""
	}
	return finding{action: a, answer: answer}
}

func passed() finding { return finding{answer: Passed} }
