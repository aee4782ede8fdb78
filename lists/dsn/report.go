package dsn

import (
	"strconv"
	"strings"

	"muster/smtp"
)

// Kind is what a notification says.
type Kind string

// The kinds. Where recipients fared differently, the first of these that any of them met.
const (
	Failed    Kind = "failed"    // for good
	Delayed   Kind = "delayed"   // it is still being tried
	Delivered Kind = "delivered" // delivered, relayed or expanded
	Read      Kind = "read"      // a reader's program has shown it, or done something else with it
	Unknown   Kind = "unknown"
)

// Actions of a Recipient, as RFC 3464 §2.3.3 and RFC 8098 §3.2.6 have them.
const (
	ActionFailed     = "failed"
	ActionDelayed    = "delayed"
	ActionDelivered  = "delivered" // to the mailbox
	ActionRelayed    = "relayed"   // to a server that does not report
	ActionExpanded   = "expanded"  // to several others
	ActionDisplayed  = "displayed"
	ActionDeleted    = "deleted" // perhaps unseen
	ActionDispatched = "dispatched"
	ActionProcessed  = "processed"
)

// Report is what a notification says of the recipients it names.
type Report struct {
	Kind       Kind
	EnvelopeID string // Original-Envelope-Id, the ENVID that the mail was sent with, where it is said
	MessageID  string // Original-Message-ID, of a kind Read
	Host       string // the server or the program that reports
	Recipients []Recipient
}

// Recipient is what became of the copy for one address.
type Recipient struct {
	Kind     Kind
	Action   string // "" for none that is known
	Address  string // Final-Recipient as it stands there, without its type
	Original string // Original-Recipient, the address that was mailed, where it is said
	Status   smtp.Enhanced
	Text     string // what a server said (Diagnostic-Code), in one line, at most 512 octets
}

// maxRecipients bounds a report: the rest of them would not change what it says.
const maxRecipients = 1000

// maxText is how much of a server's words is kept, in octets.
const maxText = 512

// Parse reads a message.
func Parse(raw []byte) Report {
	status, read, ok := findStatus(raw)
	switch {
	case !ok:
		return Report{Kind: Unknown}
	case read:
		return disposition(status)
	}
	r := Report{Kind: Unknown}
	for _, group := range groups(status) {
		rcpt, ok := recipient(group)
		if !ok { // the first group is about the message
			if len(r.Recipients) == 0 && r.EnvelopeID == "" && r.Host == "" {
				r.EnvelopeID, r.Host = clean(group["original-envelope-id"]), clean(untyped(group["reporting-mta"]))
			}
			continue
		}
		r.Recipients = append(r.Recipients, rcpt)
		r.Kind = worse(r.Kind, rcpt.Kind)
		if len(r.Recipients) == maxRecipients {
			break
		}
	}
	return r
}

// Worst is the recipient who fared as the report as a whole says; the zero Recipient if there is
// none.
func (r Report) Worst() Recipient {
	for _, rcpt := range r.Recipients {
		if rcpt.Kind == r.Kind {
			return rcpt
		}
	}
	return Recipient{}
}

// Permanent says whether the status is of class 5, or where there is none, whether a server gave
// up for good.
func (r Recipient) Permanent() bool {
	if r.Status != (smtp.Enhanced{}) {
		return r.Status[0] == 5
	}
	return r.Kind == Failed
}

func worse(a, b Kind) Kind {
	for _, k := range []Kind{Failed, Delayed, Delivered} {
		if a == k || b == k {
			return k
		}
	}
	return Unknown
}

// recipient reads a group of fields (RFC 3464 §2.3); false if it is not about a recipient.
func recipient(group map[string]string) (Recipient, bool) {
	final, original := group["final-recipient"], group["original-recipient"]
	if final == "" && original == "" {
		return Recipient{}, false
	}
	r := Recipient{
		Address:  untyped(final),
		Original: untyped(original),
		Status:   parseStatus(group["status"]),
		Text:     clean(untyped(group["diagnostic-code"])),
	}
	r.Action = actionOf(group["action"])
	r.Kind = kindOf(r.Action, r.Status)
	return r, true
}

// actionOf is the word of an Action, which a comment may follow; "" for an unknown one.
func actionOf(value string) string {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(value)), " ")
	word, _, _ = strings.Cut(word, "(")
	switch word {
	case "failure":
		return ActionFailed
	case ActionFailed, ActionDelayed, ActionDelivered, ActionRelayed, ActionExpanded:
		return word
	}
	return ""
}

// kindOf trusts the Action; the class of the status stands in for one that is missing.
func kindOf(action string, status smtp.Enhanced) Kind {
	switch action {
	case ActionFailed:
		return Failed
	case ActionDelayed:
		return Delayed
	case ActionDelivered, ActionRelayed, ActionExpanded:
		return Delivered
	}
	switch status[0] {
	case 5:
		return Failed
	case 4:
		return Delayed
	case 2:
		return Delivered
	}
	return Unknown
}

// untyped takes the type off "rfc822; fred@doc.example", and the brackets that some put around the
// address.
func untyped(value string) string {
	if kind, rest, ok := strings.Cut(value, ";"); ok && !strings.ContainsAny(strings.TrimSpace(kind), " @<") {
		value = rest
	}
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") {
		value = value[1 : len(value)-1]
	}
	return value
}

// parseStatus reads "5.1.1", which a comment may follow; zero for anything else.
func parseStatus(value string) smtp.Enhanced {
	end := strings.IndexFunc(value, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(value)
	}
	parts := strings.Split(value[:end], ".")
	if len(parts) != 3 || parts[0] != "2" && parts[0] != "4" && parts[0] != "5" {
		return smtp.Enhanced{}
	}
	var e smtp.Enhanced
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n > 999 {
			return smtp.Enhanced{}
		}
		e[i] = n
	}
	return e
}

// clean makes a server's words one line that may be shown.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
