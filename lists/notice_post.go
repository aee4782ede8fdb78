package lists

import "time"

// Kinds of a notice about posts.
const (
	NoticeHeld          = "held"           // HeldParams, to owners and moderators, who decide
	NoticePostHeld      = "post-held"      // PostHeldParams, to the author of a held post
	NoticePostExpired   = "post-expired"   // PostHeldParams, to the author of a post that nobody decided on
	NoticePostConfirm   = "post-confirm"   // PostConfirmParams, to the author, who may not be who sent it
	NoticePostForwarded = "post-forwarded" // PostForwardedParams, to whom a moderator named; the post goes with it
	NoticeModerated     = "moderated"      // ModeratedParams, to a moderator who decided by mail
	NoticeWaiting       = "waiting"        // WaitingParams, to owners and moderators, once a day
	NoticePostRejected  = "post-rejected"  // PostRejectedParams, to the author of a held post
	NoticePostRefused   = "post-refused"   // PostRefusedParams, to the authenticated sender of a post that other recipients took
)

// HeldParams tells a moderator about a post that waits for them.
type HeldParams struct {
	Author  string
	Subject string // may be empty
	Size    int64  // octets
	Reason  string // code: what a Decision calls Reason
	URL     string // page where it is released or rejected
	Reply   string // address that decides when written to
	Canned  string // names of the list's answers, with commas between; may be empty
	Days    int    // that it waits; 0: until somebody decides
}

// PostHeldParams tells an author that their post waits, or waited in vain.
type PostHeldParams struct {
	Subject   string
	MessageID string
	Reason    string // code
	Days      int    // that it waits; 0: until somebody decides
}

// PostConfirmParams lets an author say whether a post is theirs. The subject is all in it that was written
// by whoever sent the post, and is shortened and without addresses of pages.
type PostConfirmParams struct {
	Subject string
	URL     string // page that asks again and acts
	Reply   string // address that acts when written to
}

// PostForwardedParams says what the post is that goes with the mail.
type PostForwardedParams struct {
	Author  string
	Subject string
	By      string // who forwards it
	Post    string // id
}

// ModeratedParams says what became of what a moderator wrote.
type ModeratedParams struct {
	Outcome string // one of the Outcome… codes
	About   string // subject of the post, or the address that would like to join
	Actor   string // who decided before, or has claimed it
	URL     string // page of the post or of the requests
	Reply   string // address to try again; "" where nothing is left to decide
}

// WaitingParams says what waits for those who moderate a list.
type WaitingParams struct {
	Held     []WaitingPost // the oldest first
	Others   int           // posts beside these
	More     bool          // there are more than were counted
	URL      string        // page of the held posts
	Requests int           // to join
	JoinsURL string
}

// WaitingPost is a post that waits.
type WaitingPost struct {
	Author  string
	Subject string
	Since   time.Time
	Reason  string // code
	URL     string
	Reply   string // address that decides when written to
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
