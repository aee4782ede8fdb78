package lists

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists/mailauth"
)

// Config is what the services need to know of the site. The zero value works: nobody to wake,
// nothing logged.
type Config struct {
	Hostname      string      // names this server in mail
	DefaultDomain string      // completes a bare local part
	MaxMessage    int64       // octets of a post; 0: what the server in front lets in
	Wake          func()      // told after a commit that queued mail; must not block
	Full          func() bool // says whether so much waits to be sent that posts are put off; nil: never
	Now           func() time.Time
	Wait          time.Duration // the most the database may take for a page of EXPN; 0: 20 s
	Log           *slog.Logger

	// MailAuth finds out who vouches for a message; nil: nobody looks. AuthservID is the name of this
	// site's word for it in Authentication-Results (RFC 8601 §2.5), TrustedAuthservID that of the server
	// whose word on the mail of trusted clients is taken over; "": nobody's.
	MailAuth          *mailauth.Checker
	AuthservID        string
	TrustedAuthservID string

	CheckTemplate CheckTemplateFunc // nil: no text can take the place of ours
	MaxAnswers    int               // mails that answer the commands of one address in a day; 0: 10
}

// Service is every operation on the domain. Each change is one transaction; each answer is
// decided by the rights of the Actor that asks. It is safe for concurrent use.
//
// Moments that are compared across rows or nodes (joined, accepted, expires) are taken from the
// database's clock, never from a node's.
type Service struct {
	pool    *pgxpool.Pool
	cfg     Config
	log     *slog.Logger
	posts   *groupCommit
	targets *targetReader
	limits  limits
	refused *refusals
	seals   atomic.Pointer[readSealer]
	signing signingKeys
	ruled   atomic.Pointer[siteRules] // what holds for all lists; nil: not read yet
	expn    atomic.Pointer[expnUse]   // for whom EXPN is of use; nil: not known yet
	hashing chan struct{}             // a slot for each password being hashed: 19 MiB and 20 ms each
	imports chan struct{}             // a slot for each import under way, which holds a connection
}

// maxHashing is how many passwords are hashed at a time. More would only make all of them slower,
// and a storm of sign-ins must not take the memory from the mail.
const maxHashing = 2

// maxImports is how many imports run at a time. Each holds a connection of the pool while its file is
// read, and many must not take them all from the mail.
const maxImports = 2

// New makes the services over a pool.
func New(pool *pgxpool.Pool, cfg Config) *Service {
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	if cfg.Wait == 0 {
		cfg.Wait = 20 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	limits := defaultLimits()
	if cfg.MaxAnswers > 0 {
		limits.answersPerAddress.most = cfg.MaxAnswers
	}
	return &Service{
		pool: pool, cfg: cfg, log: cfg.Log, posts: newGroupCommit(pool), targets: newTargetReader(pool),
		limits: limits, refused: newRefusals(),
		hashing: make(chan struct{}, maxHashing), imports: make(chan struct{}, maxImports),
	}
}

// maxTries bounds how often a transaction that lost against another is run again.
const maxTries = 4

// inTx runs fn in a transaction and commits if it returns nil. A deadlock or serialization failure
// runs fn again from the start, so fn must set what it returns rather than add to it.
func (s *Service) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return again(func() error { return pgx.BeginFunc(ctx, s.pool, fn) })
}

// again does what may lose a race until it does not, or has maxTries times.
func again(do func() error) (err error) {
	for range maxTries {
		if err = do(); !lostRace(err) {
			break
		}
	}
	return err
}

// inTxWake is inTx for a change that may have queued mail: the fan-out is woken after the commit.
func (s *Service) inTxWake(ctx context.Context, fn func(tx pgx.Tx) error) error {
	if err := s.inTx(ctx, fn); err != nil {
		return err
	}
	s.cfg.Wake()
	return nil
}
