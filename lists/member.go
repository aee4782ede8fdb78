package lists

import (
	"time"

	"muster/smtp"
)

// Values of a member's mode: what is sent.
const (
	ModeEach    = "each"    // each post
	ModeDigest  = "digest"  // no single posts: digests, once there are any
	ModeSummary = "summary" // no single posts: summaries, once there are any
	ModeNone    = "none"    // nothing; the member may post and read
)

// Values of a member's state: whether mail is sent, and who stopped it.
const (
	StateActive    = "active"
	StateUser      = "user"
	StateBounce    = "bounce"
	StateModerator = "moderator"
)

// ModerationDefault is the moderation of a member whose posts are judged as all members' are.
const ModerationDefault = "default"

// Member is a membership of a list.
type Member struct {
	ID       int64
	ListID   int64 `db:"list_id"`
	Key      string
	Address  string // as written; what mail is sent to
	Name     string
	Domain   string
	Nested   *int64 // the list that the address is, if it is one here
	Mode     string
	State    string
	Hidden   bool
	OwnPosts bool `db:"own_posts"`
	Language string
	// AddressedPosts: they get a copy of posts that name them in To or Cc.
	AddressedPosts bool `db:"addressed_posts"`

	Score  int
	Joined time.Time

	Moderation string     // what becomes of their posts, an action of verdict; "" for ModerationDefault
	Released   int        // of their posts so many were held as a new member's and let go
	AwayFrom   *time.Time `db:"away_from"` // the first day of a vacation, and the last; nil without one
	AwayUntil  *time.Time `db:"away_until"`
}

// Mailbox is the member as a name with an address.
func (m Member) Mailbox() smtp.Mailbox {
	a, err := smtp.ParseAddress(m.Address)
	if err != nil { // stored addresses were parsed when they came in
		a = smtp.Address{Local: m.Address}
	}
	return smtp.Mailbox{Name: m.Name, Address: a}
}
