package lists

// Kinds of a notice about commands.
const (
	NoticeCommandAnswer  = "command-answer"  // CommandAnswerParams, to who sent commands
	NoticeCommandConfirm = "command-confirm" // CommandConfirmParams, to who may have sent commands
)

// CommandAnswerParams says what became of each command of a mail, in order.
type CommandAnswerParams struct {
	Results   []CommandResult
	Help      bool            // say which commands there are
	Owner     bool            // and those for owners
	Options   []CommandOption // with Help: what can be set
	URL       string          // page of the list
	MessageID string          // of the mail; may be empty
}

// CommandResult is one line of a command mail and what became of it.
type CommandResult struct {
	Line    string       // as written, shortened and cleaned; "" for what is not to be quoted
	Outcome string       // one of the Outcome… codes
	Rows    []CommandRow // what was asked for
}

// CommandRow is one line of an answer. Label and Code are sentences of the catalogues.
type CommandRow struct {
	Label string // what it is; "" for none
	Code  string // the value, where it has words; else Text is it
	Text  string
}

// CommandOption is a setting and what it takes.
type CommandOption struct {
	Key    string
	Values string
}

// CommandConfirmParams asks for an answer to commands that came in somebody's name. What they say is
// written anew from what was understood: none of it are words of whoever sent them.
type CommandConfirmParams struct {
	Token    string
	Reply    string // address that acts when written to
	Commands []string
}

// What may become of a command.
const (
	OutcomeConfirm  = "confirm"   // a question was mailed to the address
	OutcomeMaybe    = "maybe"     // the same, where the answer goes to another address and must not tell
	OutcomeNoMember = "no-member" // asked to leave or to set without being a member
	OutcomeDone     = "done"      // joined, left, set or confirmed
	OutcomeAnswered = "answered"  // confirmed by mail, and what came of it is told by another mail
	OutcomeBefore   = "before"    // it was done before
	OutcomeWaits    = "waits"     // a moderator decides
	OutcomeClosed   = "closed"    // the list cannot be joined
	OutcomeExpired  = "expired"   // the token is not good any more
	OutcomeLimited  = "limited"   // asked too often
	OutcomeRefused  = "refused"   // not for this address
	OutcomeHelp     = "help"      // the commands follow
	OutcomeEnd      = "end"       // nothing was read after it
	OutcomeRest     = "rest"      // too many commands: nothing more was read
	OutcomeUnknown  = "unknown"   // no command
	OutcomeOption   = "option"    // no such option, or no such value of it
	OutcomeEcho     = "echo"      // nothing was to be done

	OutcomeInfo    = "info"    // rows: what the list is
	OutcomeWho     = "who"     // rows: its members
	OutcomeWhich   = "which"   // rows: the lists that the author is on
	OutcomeSet     = "set"     // rows: what is set of the author's membership
	OutcomeStats   = "stats"   // rows: numbers of the list
	OutcomePending = "pending" // rows: what waits for a decision
	OutcomeNothing = "nothing" // there is nothing to show

	OutcomeRoster  = "roster"     // who is on the list is not for the author
	OutcomeOwners  = "owners"     // only owners may
	OutcomeAddress = "address"    // no address that could be a member's
	OutcomeMember  = "member"     // to be added, and a member already
	OutcomeGone    = "gone"       // to be added, and left or was sent away
	OutcomeNobody  = "not-member" // to be taken off, and not on the list

	OutcomeUnanswered = "unanswered" // a mail that asks whether a post is theirs, and the first line is not yes

	OutcomeReleased  = "released"  // the post goes to the members
	OutcomeTrusted   = "trusted"   // so it does, and its author is trusted
	OutcomeRejected  = "rejected"  // the post or the request
	OutcomeDiscarded = "discarded" // the post
	OutcomeAdmitted  = "admitted"  // who asked to join is a member
	OutcomeClaimed   = "claimed"   // nobody else decides for a while
	OutcomeTaken     = "taken"     // somebody else has claimed the post
	OutcomeDecided   = "decided"   // it was decided before
	OutcomeNoRight   = "no-right"  // they do not moderate the list any more
	OutcomeUnread    = "unread"    // the first line is nothing that decides
)
