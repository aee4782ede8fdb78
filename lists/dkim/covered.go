package dkim

import "strings"

// cover is how a signature covers a field.
type cover struct {
	name string
	// absent: the field is named once more than it is there even where it is not there at all, so
	// that nobody can add one that a reader would believe (RFC 6376 §5.4, §8.15).
	absent bool
	// open: fields of this name may come on top of those signed.
	open bool
}

// covers are the fields that are signed, in the order in which they are (RFC 6376 §5.4.1). Every
// one is named once more than it is there, and those below, that tell who speaks to whom and how
// the body is read, also where there is none. A Date or Message-ID that is missing may be added by
// a relay (RFC 6376 §5.4 leaves that to the signer), and who resends a message adds its own
// Resent- fields above.
func covers() []cover {
	return []cover{
		{name: "From", absent: true}, {name: "Sender"}, {name: "Reply-To", absent: true},
		{name: "Subject", absent: true}, {name: "Date"}, {name: "Message-ID"},
		{name: "To", absent: true}, {name: "Cc", absent: true},
		{name: "In-Reply-To"}, {name: "References"},
		{name: "MIME-Version", absent: true}, {name: "Content-Type", absent: true},
		{name: "Content-Transfer-Encoding", absent: true}, {name: "Content-Disposition"},
		{name: "Content-ID"}, {name: "Content-Description"}, {name: "Content-Language"},
		{name: "Auto-Submitted"}, {name: "Archived-At"},
		{name: "Resent-Date", open: true}, {name: "Resent-From", open: true},
		{name: "Resent-To", open: true}, {name: "Resent-Cc", open: true},
		{name: "List-Id"}, {name: "List-Post"}, {name: "List-Help"}, {name: "List-Subscribe"}, {name: "List-Owner"},
		{name: "List-Archive"}, {name: "List-Unsubscribe"}, {name: "List-Unsubscribe-Post"},
	}
}

// called are the fields of a name.
func called(fields []field, name string) []field {
	var found []field
	for _, f := range fields {
		if strings.EqualFold(string(f.name), name) {
			found = append(found, f)
		}
	}
	return found
}
