package lists

import (
	"time"

	"muster/smtp"
)

// Domain is a mail domain served here.
type Domain struct {
	ID      int64
	Name    string // A-labels, lower case
	Created time.Time
}

// Values of the setting expn: who may expand a list, beside the trusted networks.
const (
	ExpnAnyone  = "anyone"
	ExpnMembers = "members"
	ExpnOwners  = "owners"
	ExpnNobody  = "nobody"
)

// Values of post_policy. Owners and moderators may always post.
const (
	PostMembers    = "members"
	PostAnyone     = "anyone"
	PostModerators = "moderators" // others' posts are held
)

// Values of priority.
const (
	PriorityHigh   = "high"
	PriorityNormal = "normal"
	PriorityLow    = "low"
)

// Values of join_policy: at once, after confirmation by mail, after a moderator, after both, never.
const (
	JoinOpen     = "open"
	JoinConfirm  = "confirm"
	JoinModerate = "moderate"
	JoinBoth     = "both"
	JoinClosed   = "closed"
)

// Values of moderator_notices: when those who moderate are mailed about what waits for them.
const (
	NoticesAtOnce = "at-once"
	NoticesDaily  = "daily"
	NoticesNone   = "none"
)

// Values of tracking: which reports copies ask for.
const (
	TrackOff = "off"
	TrackDSN = "dsn" // of delivery
	TrackMDN = "mdn" // of reading, beside those
)

// List is a mailing list and its settings.
type List struct {
	ID          int64
	DomainID    int64  `db:"domain_id"`
	Domain      string // A-labels
	Local       string // key form
	Name        string
	Description string
	Language    string
	Advertised  bool
	Expn        string
	PostPolicy  string `db:"post_policy"`
	JoinPolicy  string `db:"join_policy"`
	VERP        int    `db:"verp"` // 0 never, 1 every post, n every nth
	Tracking    string
	Siblings    string // addresses, ", " between
	Priority    string // of the list's copies among others'

	MaxHoldDays      int    `db:"max_hold_days"` // 0: held posts wait until somebody decides
	ModeratorNotices string `db:"moderator_notices"`
	TellHeld         bool   `db:"tell_held"` // authors hear that their post waits
	Created          time.Time
	Rules            Choices // for the rules that judge its posts
}

// Address is where posts go.
func (l List) Address() smtp.Address { return smtp.Address{Local: l.Local, Domain: l.Domain} }

// Role returns the address of one of the list's roles: l.Role("owner") is dev-owner@….
func (l List) Role(suffix string) smtp.Address {
	return smtp.Address{Local: l.Local + "-" + suffix, Domain: l.Domain}
}

// ListID is the List-Id of RFC 2919 without angle brackets: dev.lists.example.
func (l List) ListID() string { return l.Local + "." + l.Domain }

// Title is the name, or the address of a list without one.
func (l List) Title() string {
	if l.Name != "" {
		return l.Name
	}
	return l.Address().String()
}
