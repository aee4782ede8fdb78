package inbound

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"muster/lists"
	"muster/lists/verdict"
	"muster/smtp"
)

// taken is the 250 for a message that was kept, with what an admin can find it by.
func taken(o lists.Outcome) *smtp.Reply {
	text := "Done"
	switch o.Fate {
	case lists.FateAccepted:
		text = "Accepted"
	case lists.FateHeld:
		text = "Held until a moderator has seen it"
	case lists.FateDuplicate:
		text = "Accepted before"
	}
	if o.Post != uuid.Nil {
		text += ", " + o.Post.String()
	}
	return smtp.NewReply(smtp.CodeOK, smtp.StatusOK, text)
}

// refusalCodes are the replies to what a message is refused for, by what comes after "post." in the
// code of the refusal, up to a dot. What is not here is a list's policy.
func refusalCodes() map[string]smtp.Reply {
	return map[string]smtp.Reply{
		verdict.RuleFrom: {Code: smtp.CodeFailed, Enhanced: smtp.StatusBadContent},
		verdict.RuleLoop: {Code: smtp.CodeFailed, Enhanced: smtp.StatusLoop},
		verdict.RuleSize: {Code: smtp.CodeTooBig, Enhanced: smtp.StatusTooBig},
		"backlog":        {Code: smtp.CodeLocalError, Enhanced: smtp.Enhanced{4, 3, 1}},
		"duplicate":      {Code: smtp.CodeFailed, Enhanced: smtp.StatusBadContent},
	}
}

// refused is the reply to a refusal, whose sentence is ASCII and made to be said.
func refused(e *lists.Error) *smtp.Reply {
	code, _, _ := strings.Cut(strings.TrimPrefix(e.Code, "post."), ".")
	if r, ok := refusalCodes()[code]; ok && e.Kind != lists.Limited {
		return smtp.NewReply(r.Code, r.Enhanced, e.Msg)
	}
	return kindReply(e.Kind, e.Msg)
}

// kindReply is the reply to a kind of error.
func kindReply(kind lists.Kind, text string) *smtp.Reply {
	switch kind {
	case lists.NotFound:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusNoMailbox, text)
	case lists.Limited:
		return smtp.NewReply(smtp.CodeMailboxBusy, smtp.Enhanced{4, 7, 1}, text)
	case lists.Overloaded:
		return smtp.NewReply(smtp.CodeLocalError, smtp.Enhanced{4, 3, 2}, text)
	case lists.Invalid, lists.Denied, lists.Exists, lists.Conflict, lists.Expired:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusDenied, text)
	}
	return smtp.NewReply(smtp.CodeLocalError, smtp.StatusLater, "Not possible now; try again later")
}

// unanswered is the reply to a question about addresses that got no answer.
func unanswered(err error) *smtp.Reply {
	why := lists.CannotSay
	errors.As(err, &why) // else it is our own trouble, which is nobody's answer
	switch why {
	case lists.AccessDenied:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusDenied, "Access denied to you")
	case lists.NoMembers:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusNoMailbox, "That list has no members")
	case lists.NobodyHere:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusNoMailbox, "There is no such address here")
	case lists.NotAList:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.StatusNoMailbox, "That is a user name, not a mailing list")
	case lists.Ambiguous:
		return smtp.NewReply(smtp.CodeNoMailbox, smtp.Enhanced{5, 1, 4}, "Ambiguous: give the domain")
	case lists.Elsewhere: // to promise that mail is tried would be untrue
		return smtp.NewReply(smtp.CodeCannotVerify, smtp.StatusCannotVRFY, "Cannot say")
	case lists.NeedsUTF8:
		return smtp.NewReply(smtp.CodeCannotVerify, smtp.Enhanced{2, 6, 8}, "The answer is not ASCII; ask with SMTPUTF8")
	}
	return smtp.NewReply(smtp.CodeCannotVerify, smtp.StatusCannotVRFY, "Cannot say; send mail and it will be tried")
}
