package lists

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
	PostAccepted  = "accepted"
	PostHeld      = "held"
	PostRejected  = "rejected"
	PostDiscarded = "discarded"
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

// WriteRaw writes the message of a post as it came in, piece by piece.
func (s *Service) WriteRaw(ctx context.Context, by Actor, p Post, w io.Writer) error {
	if _, err := s.moderate(ctx, s.pool, by, p.ListID); err != nil {
		return err
	}
	for n := 0; ; n++ {
		piece, err := selectPiece(ctx, s.pool, p, n)
		if noRows(err) {
			if n == 0 {
				return noSuchPost()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("piece %d of post %s: %w", n, p.ID, err)
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
}

// ReleasePost sends a held post to the members.
func (s *Service) ReleasePost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.decide(ctx, by, id, ruling{state: PostAccepted, action: "release"})
}

// RejectPost turns a held post down. Its author is told the reason only where the sender had proved
// who they are: a forged From must not get mail of ours.
func (s *Service) RejectPost(ctx context.Context, by Actor, id uuid.UUID, reason string) (Post, error) {
	return s.decide(ctx, by, id, ruling{state: PostRejected, action: string(verdict.Reject), reason: cleanText(clipText(reason))})
}

// DiscardPost puts a held post aside and tells nobody.
func (s *Service) DiscardPost(ctx context.Context, by Actor, id uuid.UUID) (Post, error) {
	return s.decide(ctx, by, id, ruling{state: PostDiscarded, action: string(verdict.Discard)})
}

// ruling is what a moderator decides.
type ruling struct {
	state  string
	action string
	reason string
}

// decide carries out a ruling, once: of two moderators the second is told who decided.
func (s *Service) decide(ctx context.Context, by Actor, id uuid.UUID, r ruling) (Post, error) {
	var p Post
	err := s.inTxWake(ctx, func(tx pgx.Tx) (err error) {
		if p, err = lockPost(ctx, tx, id); noRows(err) {
			return noSuchPost()
		} else if err != nil {
			return fmt.Errorf("post %s: %w", id, err)
		}
		l, err := s.moderate(ctx, tx, by, p.ListID)
		if err != nil {
			return err
		}
		if p.State != PostHeld {
			return s.decidedBefore(ctx, tx, p)
		}
		if p, err = s.rule(ctx, tx, by, l, p, r); err != nil {
			return fmt.Errorf("post %s: %w", id, err)
		}
		return audit(ctx, tx, by, "post."+r.action, l.ID, map[string]any{"post": id.String(), "reason": r.reason})
	})
	return p, err
}

// rule changes the post. What was turned down may be sent again: its Message-ID is free.
func (s *Service) rule(ctx context.Context, tx pgx.Tx, by Actor, l List, p Post, r ruling) (Post, error) {
	p, err := updatePostState(ctx, tx, p.ID, r.state)
	if err != nil {
		return Post{}, err
	}
	if err := insertDecision(ctx, tx, p.ID, by.auditName(), r); err != nil {
		return Post{}, fmt.Errorf("decision: %w", err)
	}
	if r.state == PostAccepted {
		return p, nil
	}
	if err := forgetSeen(ctx, tx, p); err != nil {
		return Post{}, fmt.Errorf("its Message-ID: %w", err)
	}
	if r.state == PostRejected {
		return p, s.tellRejected(ctx, tx, l, p, r.reason)
	}
	return p, nil
}

func (s *Service) decidedBefore(ctx context.Context, q querier, p Post) error {
	decisions, err := selectDecisions(ctx, q, p.ID)
	if err != nil {
		return fmt.Errorf("decisions on %s: %w", p.ID, err)
	}
	last := decisions[len(decisions)-1]
	if last.Actor == ActorRules {
		return Errorf(Conflict, "post.notheld", "that post is not held; it was accepted when it came")
	}
	e := Errorf(Conflict, "post.decided", "that post was decided before, by %s: it is %s", last.Actor, p.State)
	e.Params = map[string]any{"Actor": last.Actor, "State": p.State}
	return e
}
