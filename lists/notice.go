package lists

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"muster/smtp"
)

// Kinds of a notice: what a mail of our own says. Each has a template of its name in each language
// and a type for its parameters.
const (
	NoticeJoinConfirm   = "join-confirm"   // ConfirmParams, to who may want to join
	NoticeLeaveConfirm  = "leave-confirm"  // ConfirmParams, to who may want to leave
	NoticeSignIn        = "signin"         // SignInParams, to who may want to sign in
	NoticeWelcome       = "welcome"        // MemberParams, to a new member
	NoticeAlreadyMember = "already-member" // MemberParams, to a member who asked to join
	NoticeGoodbye       = "goodbye"        // MemberParams, to who was a member
	NoticeMemberJoined  = "member-joined"  // AboutMemberParams, to owners
	NoticeJoinRequest   = "join-request"   // JoinRequestParams, to owners and moderators, who decide
	NoticeJoinRefused   = "join-refused"   // RefusedParams, to who asked to join
)

// Notice is a mail that a list or the site wants sent. It is data; fanout puts it into words when
// it sends it. A parameter whose name ends in URL is a path on the site.
type Notice struct {
	Kind     string
	List     int64 // 0: from the site
	Address  string
	Language string // "": the list's
	Params   any    // of the type that goes with Kind
}

// ConfirmParams lets somebody answer a question by web or mail. Nothing in it was written by who
// asked the question.
type ConfirmParams struct {
	Token string
	URL   string // page that asks again and acts
	Reply string // address that acts when written to
}

// SignInParams is a link that signs in.
type SignInParams struct {
	URL     string
	Minutes int // that it is good
}

// MemberParams tells a member, or who was one, about their membership.
type MemberParams struct {
	URL      string // page of the list
	LeaveURL string // link that leaves; "" for who is gone
}

// AboutMemberParams tells an owner about somebody else.
type AboutMemberParams struct {
	Address string
	Name    string
	URL     string // page where owners decide or look
}

// JoinRequestParams tells a moderator who would like to join.
type JoinRequestParams struct {
	Address string
	Name    string
	URL     string // page where they decide
	Reply   string // address that decides when written to
}

// RefusedParams tells somebody that an owner refused them.
type RefusedParams struct {
	Reason string // the owner's words, may be empty
}

// queueNotice writes a notice in the transaction of what it tells about.
func queueNotice(ctx context.Context, q querier, n Notice) error {
	if err := insertNotice(ctx, q, n); err != nil {
		return fmt.Errorf("notice %s: %w", n.Kind, err)
	}
	return nil
}

// url is the path of a page of the site from its parts, escaped. Where the site is, the process that
// sends the mail knows; who queues it, a command for one, need not.
func (s *Service) url(parts ...string) string {
	var path strings.Builder
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

// tellConfirm mails a question that a token answers.
func (s *Service) tellConfirm(ctx context.Context, q querier, kind string, l List, m Member, token string) error {
	return queueNotice(ctx, q, Notice{Kind: kind, List: l.ID, Address: m.Address, Language: m.Language, Params: ConfirmParams{
		Token: token, URL: s.url("confirm", token), Reply: l.Role("confirm+" + token).String(),
	}})
}

func (s *Service) tellSignIn(ctx context.Context, q querier, a smtp.Address, language, token string) error {
	return queueNotice(ctx, q, Notice{Kind: NoticeSignIn, Address: a.String(), Language: language, Params: SignInParams{
		URL: s.url("signin", token), Minutes: int(signInLife.Minutes()),
	}})
}
