package lists

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"muster/lists/command"
)

// code32 writes tokens and seals: local parts of addresses get case-folded on their way, so they
// are lower case and no more than 26 characters.
var code32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	secretOctets = 16 // 128 bits
	secretChars  = 26
)

// newSecret makes a token or the like, and what is stored of it. The hash needs no salt: there is
// nothing to guess in 128 random bits.
func newSecret() (secret string, hash []byte) {
	var b [secretOctets]byte
	rand.Read(b[:]) // never fails: it ends the program rather than be predictable
	secret = code32.EncodeToString(b[:])
	return secret, hashSecret(secret)
}

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Purposes of a token.
const (
	PurposeJoin   = "join"
	PurposeLeave  = "leave"
	PurposeSignIn = "signin"

	PurposePost     = "post"     // whether a post is by whom From says
	PurposeModerate = "moderate" // what a moderator decides on a held post
	PurposeAdmit    = "admit"    // and on a request to join

	// PurposeCommand is to have commands carried out that came by mail; only mail answers it.
	PurposeCommand = "command"
)

// How long a token is good.
const (
	confirmLife = 3 * 24 * time.Hour
	signInLife  = 15 * time.Minute
)

// token is a question that was mailed to an address and waits for its answer.
type token struct {
	Purpose string
	List    *int64
	Key     string
	Params  tokenParams
	Expired bool
	Used    bool
}

// tokenParams is what the answer needs to be carried out.
type tokenParams struct {
	Address  string `json:"address,omitempty"`
	Name     string `json:"name,omitempty"`
	Language string `json:"language,omitempty"`
	How      string `json:"how,omitempty"`
	Client   string `json:"client,omitempty"`

	Post    string `json:"post,omitempty"`    // id
	Request int64  `json:"request,omitempty"` // id
	Then    string `json:"then,omitempty"`    // what becomes of the post once it is confirmed: an Action of verdict
	Reason  string `json:"reason,omitempty"`  // and why

	Options  []Change          `json:"options,omitempty"`  // of who wants to join
	Commands []command.Command `json:"commands,omitempty"` // of PurposeCommand
}

// newToken is a token to be written.
type newToken struct {
	Purpose string
	List    int64 // 0: none
	Key     string
	Params  tokenParams
	Life    time.Duration
}

// takeToken uses a token up, in the transaction that does what it was for. What was used before is
// a Conflict, with the token, so that asking twice can be answered kindly.
func (s *Service) takeToken(ctx context.Context, tx pgx.Tx, secret string, purposes ...string) (token, error) {
	if len(secret) != secretChars {
		return token{}, unknownToken()
	}
	hash := hashSecret(strings.ToLower(secret))
	t, err := lockToken(ctx, tx, hash)
	if noRows(err) || err == nil && !slices.Contains(purposes, t.Purpose) {
		return token{}, unknownToken()
	}
	if err != nil {
		return token{}, fmt.Errorf("token: %w", err)
	}
	if t.Used {
		return t, Errorf(Conflict, "token.used", "this link was used already; nothing more is to be done")
	}
	if t.Expired {
		return token{}, unknownToken()
	}
	if err := useToken(ctx, tx, hash); err != nil {
		return token{}, fmt.Errorf("token: %w", err)
	}
	return t, nil
}

// unknownToken says the same of what never was and of what is no more.
func unknownToken() *Error {
	return Errorf(Expired, "token.expired", "this link is not good any more; ask for a new one")
}

// noteBadToken counts a token that was none against the client that tried it.
func (s *Service) noteBadToken(ctx context.Context, client string, err error) error {
	if KindOf(err) != Expired {
		return err
	}
	if limited := s.allowClient(ctx, s.limits.badTokensPerClient, client); limited != nil {
		return limited
	}
	return err
}
