package lists

// Kinds of a notice about posts and commands.
const (
	NoticeHeld          = "held"           // HeldParams, to owners and moderators, who decide
	NoticePostRejected  = "post-rejected"  // PostRejectedParams, to the author of a held post
	NoticePostRefused   = "post-refused"   // PostRefusedParams, to the authenticated sender of a post that other recipients took
	NoticeCommandAnswer = "command-answer" // CommandAnswerParams, to who sent commands
)

// HeldParams tells a moderator about a post that waits for them.
type HeldParams struct {
	Author  string
	Subject string // may be empty
	Size    int64  // octets
	Reason  string // code: what a Decision calls Reason
	URL     string // page where it is released or rejected
}

// PostRejectedParams tells an author what a moderator decided.
type PostRejectedParams struct {
	Subject   string
	MessageID string
	Reason    string // the moderator's words, may be empty
}

// PostRefusedParams tells an author that a list did not take what other recipients of the same
// message did.
type PostRefusedParams struct {
	Subject   string
	MessageID string
	Reason    string // code
	Sentence  string // the same in plain English
}

// CommandAnswerParams says what became of each command of a mail, in order.
type CommandAnswerParams struct {
	Results []CommandResult
	Help    bool   // say which commands there are
	URL     string // page of the list
}

// CommandResult is one line of a command mail and what became of it.
type CommandResult struct {
	Line    string // as written, shortened and cleaned; "" for what is not to be quoted
	Outcome string // one of the Outcome… codes
}

// What may become of a command.
const (
	OutcomeConfirm  = "confirm"   // a question was mailed to the address
	OutcomeMaybe    = "maybe"     // the same, where the answer goes to another address and must not tell
	OutcomeNoMember = "no-member" // asked to leave without being a member
	OutcomeDone     = "done"      // joined, left or confirmed
	OutcomeBefore   = "before"    // it was done before
	OutcomeWaits    = "waits"     // a moderator decides
	OutcomeClosed   = "closed"    // the list cannot be joined
	OutcomeExpired  = "expired"   // the token is not good any more
	OutcomeLimited  = "limited"   // asked too often
	OutcomeRefused  = "refused"   // not for this address
	OutcomeHelp     = "help"      // the commands follow
	OutcomeEnd      = "end"       // nothing was read after it
	OutcomeUnknown  = "unknown"   // no command
)
