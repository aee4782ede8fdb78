package lists

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"muster/lists/edit"
	"muster/lists/mailauth"
	"muster/lists/verdict"
	"muster/smtp"
)

// Kinds of a post: to whom it goes.
const (
	PostKindPost   = "post"   // the members of its list
	PostKindOwners = "owners" // the owners and moderators of its list
	PostKindAdmins = "admins" // the admins of the site
)

// States of a post.
const (
	PostAccepted = "accepted"
	PostHeld     = "held"
	// PostUnconfirmed waits for its author to answer a mail.
	PostUnconfirmed = "unconfirmed"
	PostRejected    = "rejected"
	PostDiscarded   = "discarded"
)

// Post is a message that came in and was kept, without its bytes.
type Post struct {
	ID        uuid.UUID
	Ref       string // its name in links
	ListID    int64  `db:"list_id"` // 0: to the admins of the site
	Kind      string
	State     string
	Arrived   time.Time
	Accepted  *time.Time // when it was queued for the members
	Sender    string     // reverse-path, "" for null
	Author    string     // address of From
	MessageID string     `db:"message_id"`
	Subject   string
	Size      int64 // octets

	Since     time.Time  // it waits, if it does
	HeldFor   string     `db:"held_for"`   // of a held post: code of the rule that held it, or the words of who did
	ClaimedBy string     `db:"claimed_by"` // who looks at it; "" for nobody
	Claimed   *time.Time // when they said so
	Edits     edit.Edits // what its copies have different from the message that came

	Authenticated bool   // the author proved to be who From says, by AUTH or by what vouches for their domain
	AuthRes       string `db:"authres"` // the Authentication-Results field that the copies carry; "" where nobody looked
}

// Results are what was found out about who vouches for the post; none where nobody looked.
func (p Post) Results() []mailauth.Result {
	if p.AuthRes == "" {
		return nil
	}
	_, found, err := mailauth.Read(strings.TrimPrefix(p.AuthRes, "Authentication-Results:"))
	if err != nil { // it was written here
		return nil
	}
	return found
}

// authorKey is by what the author would be a member; "" for none.
func (p Post) authorKey() string {
	a, err := smtp.ParseAddress(p.Author)
	if err != nil {
		return ""
	}
	return a.Key()
}

// Decision is one step of what was decided on a post, and by whom.
type Decision struct {
	At     time.Time
	Actor  string // ActorRules, or who it was
	Action string // of verdict, or "release"
	Reason string // code of the rule that decided, or the words of who did
	Trace  []verdict.Step
}

// ActorRules is the actor of what the list's rules decided.
const ActorRules = "rules"

// PostQuery is a page of a list's posts, the youngest first.
type PostQuery struct {
	State  string    // "" for all
	Before uuid.UUID // of the last one seen; zero for the first page
	Limit  int       // 0: 50; at most 1000
}

// PostPage is what PostQuery found.
type PostPage struct {
	Posts []Post
	More  bool
}

// Posts are the posts of a list, mail to its owners not among them. Members see what was accepted; held, rejected and discarded ones are
// for those who moderate.
func (s *Service) Posts(ctx context.Context, by Actor, listID int64, query PostQuery) (PostPage, error) {
	l, rights, err := s.see(ctx, s.pool, by, listID)
	if err != nil {
		return PostPage{}, err
	}
	if !rights.Moderates() && (!rights.Member || query.State != PostAccepted) {
		return PostPage{}, deniedModerate(l)
	}
	limit := pageSize(query.Limit)
	posts, err := selectPosts(ctx, s.pool, listID, query, limit+1)
	if err != nil {
		return PostPage{}, fmt.Errorf("posts of %s: %w", l.Address(), err)
	}
	more := len(posts) > limit
	return PostPage{Posts: posts[:min(limit, len(posts))], More: more}, nil
}

// MayPost says of a recipient whether a post can be taken now. Commands and mail to owners always can:
// they are few, and leaving a list is what may be meant.
func (s *Service) MayPost(t Target) error {
	if t.Kind != TargetPost || s.cfg.Full == nil || !s.cfg.Full() {
		return nil
	}
	return &Error{Kind: Overloaded, Code: "post.backlog", Msg: "Too much mail waits to be sent from here; try again later"}
}

// PostByRef is a post with what was decided on it, for those who moderate its list.
func (s *Service) PostByRef(ctx context.Context, by Actor, ref string) (Post, []Decision, error) {
	p, err := selectPostByRef(ctx, s.pool, ref)
	return s.withDecisions(ctx, by, p, err)
}

// PostByID is PostByRef by the id that the command line shows.
func (s *Service) PostByID(ctx context.Context, by Actor, id uuid.UUID) (Post, []Decision, error) {
	p, err := selectPostByID(ctx, s.pool, id)
	return s.withDecisions(ctx, by, p, err)
}

func (s *Service) withDecisions(ctx context.Context, by Actor, p Post, err error) (Post, []Decision, error) {
	if noRows(err) {
		return Post{}, nil, noSuchPost()
	}
	if err != nil {
		return Post{}, nil, fmt.Errorf("post: %w", err)
	}
	if _, err := s.moderate(ctx, s.pool, by, p.ListID); err != nil {
		return Post{}, nil, err
	}
	decisions, err := selectDecisions(ctx, s.pool, p.ID)
	if err != nil {
		return Post{}, nil, fmt.Errorf("decisions on %s: %w", p.ID, err)
	}
	return p, decisions, nil
}

// moderate is see for what only those do who moderate. To others a post is not there: that one is
// held is nobody's business.
func (s *Service) moderate(ctx context.Context, q querier, by Actor, listID int64) (List, error) {
	l, rights, err := s.see(ctx, q, by, listID)
	if err != nil {
		return List{}, noSuchPostIf(err)
	}
	if !rights.Moderates() {
		return List{}, noSuchPost()
	}
	return l, nil
}

func noSuchPostIf(err error) error {
	if KindOf(err) == NotFound {
		return noSuchPost()
	}
	return err
}

func noSuchPost() *Error { return Errorf(NotFound, "post.unknown", "there is no such post") }

func deniedModerate(l List) *Error {
	return Errorf(Denied, "list.denied.moderate", "only those who moderate %s may see that", l.Address())
}
