package fanout

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
	"muster/smtp"
	"muster/smtp/smtpclient"
)

// DefaultConnections is how many connections a destination gets, of all nodes together.
const DefaultConnections = 20

// Config is what the fan-out needs to know.
type Config struct {
	Hostname string // names us in EHLO and in notices; mail whose MX it is would be a loop
	// AuthservID is the name of this site's Authentication-Results (RFC 8601 §2.5): fields of it that came
	// with a post are left out. Empty, it is Hostname.
	AuthservID string
	BaseURL    string   // where the site is, without a slash at its end
	Relays     []Relay  // take the mail that they are for; the rest goes to each domain's MX
	Resolver   Resolver // for MX; nil: the system's name servers. A DNS that Validates brings DANE.
	// Own tells the addresses on whose port 25 we listen ourselves: an MX there would be a loop.
	Own func(netip.Addr) bool
	// Seals gives the keys of bounce and unsubscribe addresses as they are now.
	Seals func(context.Context) (Sealer, error)
	Mail  MailFunc // renders notices
	// Keys gives the keys that sign for a domain as they are now; nil: nothing is signed.
	Keys KeysFunc
	// Identity is that of a data directory whose lock this process holds (takeIdentity in
	// cmd/muster). Nodes before with the same identity are dead, which the lock proves. Empty: their
	// beat decides.
	Identity string
	// RedirectTo gets every copy and notice in place of its recipient, whom a field of the header
	// names; zero: nobody does. It is ASCII.
	RedirectTo  smtp.Address
	Connections int // to a destination; 0: DefaultConnections
	// MaxBacklog is how many planned copies may wait before Full says so; 0: any number.
	MaxBacklog int64
	// MaxRefused is how many of a hundred copies of a post may be refused for good before it is paused;
	// 0: all. Fewer than a thousand refusals pause nothing.
	MaxRefused int
	// Rate and Window limit all that goes out, of all nodes together: so many copies evenly, and so many
	// in any span of time. Zero: there is no limit.
	Rate, Window Rate
	// Stopped is told of a post that was paused for that; nil: nobody is.
	Stopped func(context.Context, lists.Stopped) error
	// Rules are what is set for some destinations.
	Rules []Rule
	// Encryption is that of connections where no rule says otherwise.
	Encryption Encryption
	// Policies fetches MTA-STS policies, if Resolver has TXT too; nil: nobody asks for them.
	Policies *http.Client
	TLS      *tls.Config // with the roots that certificates are held against; nil: the system's
	// Grace is for transactions in flight when Run is to end; 0: 30 s.
	Grace    time.Duration
	Timeouts smtpclient.Timeouts
	// SpoolDir is where the texts of long messages are while they are sent; "": the system's directory
	// for temporary files.
	SpoolDir string
	// DialContext replaces the dialler of outgoing connections.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	Log         *slog.Logger // nil: nothing is logged

	pace pace // zero: as designed
}

// ErrUnfinished is an end that came while transactions were in flight for longer than Grace. They
// were cut off, and their copies will be sent again.
var ErrUnfinished = errors.New("transactions in flight were cut off, their copies will be sent again")

// ErrConfig is a Config without what no message can be composed without.
var ErrConfig = errors.New("the fan-out needs Seals and Mail")

// pace is every time span that a test may want shorter.
type pace struct {
	beat   time.Duration // between beats
	dead   time.Duration // that a beat must stand still
	lease  time.Duration // after a beat was sent, in which dots may be
	poll   time.Duration // for work nobody told of
	sweep  time.Duration
	idle   time.Duration // that a connection waits for more
	slot   time.Duration // that a member of a mixed shard waits for its destination
	route  time.Duration // that the servers of a destination are kept
	steady time.Duration // that a window which proved too wide stays as it is
	grace  time.Duration // for transactions in flight when the process is to end
	disk   time.Duration // before a file that failed is tried again
	tell   time.Duration // between what is written down of lanes
	block  func(failures int) time.Duration
	soon   func() time.Duration
	retry  func(attempt int) time.Duration
}

func (p pace) withDefaults() pace {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&p.beat, 2*time.Second)
	set(&p.dead, 9*time.Second)
	set(&p.lease, 6*time.Second)
	set(&p.poll, time.Second)
	set(&p.sweep, 2*time.Second)
	set(&p.idle, 5*time.Second)
	set(&p.slot, 30*time.Second)
	set(&p.route, 5*time.Minute)
	set(&p.steady, time.Minute)
	set(&p.grace, 30*time.Second)
	set(&p.disk, 15*time.Second)
	set(&p.tell, tellEvery)
	if p.block == nil {
		p.block = blockWait
	}
	if p.soon == nil {
		p.soon = soon
	}
	if p.retry == nil {
		p.retry = retryWait
	}
	return p
}

// Engine sends what was committed. Make one with New, run it once with Run. Its other methods may
// be called at any time, from anywhere, whether it runs or not.
type Engine struct {
	pool *pgxpool.Pool
	cfg  Config
	log  *slog.Logger
	pack *packer

	copies *copyCounts

	woken bell // the planner
	tell  bell // other nodes
	full  atomic.Bool
	tally tally
	sts   *policies // kept over the lives of node rows; nil: not made, or not wanted
}

// New makes an engine over a pool. Beside the pool it keeps three connections of its own while it
// runs.
func New(pool *pgxpool.Pool, cfg Config) *Engine {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Connections <= 0 {
		cfg.Connections = DefaultConnections
	}
	if !cfg.RedirectTo.IsZero() {
		cfg.Relays = relaysTo(domainKey(cfg.RedirectTo.Domain), cfg.Relays)
	}
	if cfg.Grace > 0 {
		cfg.pace.grace = cfg.Grace
	}
	cfg.pace = cfg.pace.withDefaults()
	return &Engine{pool: pool, cfg: cfg, log: cfg.Log, pack: newPacker(), copies: new(copyCounts), woken: newBell(), tell: newBell()}
}

// Wake says that something was committed that is to be sent. It returns at once.
func (e *Engine) Wake() {
	e.woken.ring()
	e.tell.ring()
}

// Run sends until ctx ends; then it finishes the transactions whose final dot is out, saves their
// outcomes, gives back the rest, and returns, with ErrUnfinished if it had to cut. The database may go and come back meanwhile.
func (e *Engine) Run(ctx context.Context) error {
	if e.cfg.Seals == nil || e.cfg.Mail == nil {
		return ErrConfig
	}
	resolver, err := e.resolver()
	if err != nil {
		return err
	}
	e.warnRedirected(ctx)
	for ctx.Err() == nil {
		node, err := e.join(ctx)
		if err != nil {
			return nil // ctx ended first
		}
		e.log.Info("fan-out runs", "node", node)
		if err := e.serve(ctx, node, resolver); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) resolver() (Resolver, error) {
	if e.cfg.Resolver != nil || newRelayGroups(e.cfg.Relays).all() != nil {
		return e.cfg.Resolver, nil
	}
	return NewDNS("")
}

// policies are made once, when the resolver is known.
func (e *Engine) policies(resolver Resolver) *policies {
	if e.sts == nil && e.cfg.Encryption != Clear {
		if e.sts = newPolicies(e.cfg.Policies, resolver, e.log); e.sts != nil {
			e.sts.store = e.pool
		}
	}
	return e.sts
}

// signed is the resolver where what it says of signatures is to be heeded.
func (e *Engine) signed(resolver Resolver) *DNS {
	if d, ok := resolver.(*DNS); ok && d.Validates && e.cfg.Encryption != Clear {
		return d
	}
	return nil
}

// join makes our node row, however long the database takes to be there.
func (e *Engine) join(ctx context.Context) (int64, error) {
	host, err := os.Hostname()
	if err != nil {
		host = e.cfg.Hostname
	}
	for {
		id, err := insertNode(ctx, e.pool, e.cfg.Identity, host)
		if err == nil || ctx.Err() != nil {
			return id, err
		}
		e.log.Warn("fan-out waits for the database", "error", err)
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(e.cfg.pace.poll):
		}
	}
}

// serve is the life of one node row: until ctx ends, or another node has found us dead.
func (e *Engine) serve(ctx context.Context, node int64, resolver Resolver) (err error) {
	// The order of ending: soft, nothing new is begun; hard, nothing is sent; ground, what saves
	// and beats ends last.
	ground, endGround := context.WithCancel(context.WithoutCancel(ctx))
	defer endGround()
	hard, endHard := context.WithCancelCause(ground)
	defer endHard(nil)
	soft, endSoft := context.WithCancel(hard)
	defer endSoft()
	defer context.AfterFunc(ctx, endSoft)()

	b := newBeat(e.pool, node, e.cfg.pace)
	b.log, b.living = e.log, new(atomic.Int64)
	b.living.Store(1)
	dead := newBell()
	b.buried = dead.ring
	c := newCommitter(e.pool, node, e.log, e.copies)
	t := e.traffic(node, c, b, resolver)
	t.soft, t.hard = soft, hard
	if t.throttle != nil {
		t.throttle.made = t.hungry
	}

	var base, busy sync.WaitGroup
	base.Go(func() { b.run(ground) })
	base.Go(func() { c.run(ground) })
	base.Go(func() {
		select {
		case <-b.lease.dead:
			e.log.Error("this node was thought dead: its connections end, it goes on as a new one", "node", node)
			endHard(errDead)
		case <-ground.Done():
		}
	})
	e.start(soft, &busy, t, dead)
	<-soft.Done()
	busy.Wait()
	t.drain()
	stop := time.AfterFunc(e.cfg.pace.grace, func() { endHard(context.DeadlineExceeded) })
	t.wg.Wait()
	if !stop.Stop() && ctx.Err() != nil {
		err = ErrUnfinished
	}
	t.library.close()
	endGround()
	base.Wait()
	e.leave(node)
	return err
}

// start starts what makes work for the traffic.
func (e *Engine) start(soft context.Context, busy *sync.WaitGroup, t *traffic, dead bell) {
	p := &planner{pool: e.pool, log: e.log, relays: t.router.relays, made: t.hungry, fresh: t.fresh, closing: t.closing}
	s := &sweeper{pool: e.pool, log: e.log, pack: e.pack, made: t.hungry, plan: e.woken.ring, closing: t.closing}
	busy.Go(func() { p.run(soft, e.woken, e.cfg.pace.poll) })
	busy.Go(func() { s.run(soft, dead, e.cfg.pace.sweep) })
	busy.Go(t.dispatch)
	busy.Go(t.tell)
	busy.Go(func() { t.throttle.run(soft, t.hard) })
	busy.Go(func() { listen(soft, e.pool, e.woken.ring, e.log) })
	busy.Go(func() { tellOthers(soft, e.pool, e.tell, e.log) })
}

func (e *Engine) traffic(node int64, c *committer, b *beat, resolver Resolver) *traffic {
	return &traffic{
		pool: e.pool, node: node, log: e.log, pace: e.cfg.pace,
		router: &router{
			hostname: e.cfg.Hostname, own: e.cfg.Own, relays: newRelayGroups(e.cfg.Relays), resolver: resolver, policies: e.policies(resolver),
			dane:     e.signed(resolver),
			redirect: domainKey(e.cfg.RedirectTo.Domain),
		},
		options: smtpclient.Options{
			Hello: e.cfg.Hostname, Timeouts: e.cfg.Timeouts, DialContext: e.cfg.DialContext, TLSConfig: e.cfg.TLS,
		},
		connections: e.cfg.Connections,
		rules:       e.cfg.Rules,
		throttle:    newThrottle(&e.cfg, e.pool, node, b.living),
		tally:       &e.tally,
		encryption:  e.cfg.Encryption,
		living:      b.living,
		library:     newLibrary(e.pool, &e.cfg),
		packer:      e.pack,
		committer:   c,
		lease:       b.lease,
		wake:        newBell(),
		loading:     make(chan struct{}, maxLoading),
		lanes:       map[string]*lane{},
		rows:        map[int64]*lane{},
		aliases:     map[string]alias{},
		meeting:     map[string]chan struct{}{},
		retried:     map[int64]int64{},
		held:        map[int64]*atomic.Bool{},
		ended:       map[line]struct{}{},
		fresh:       newFreshShards(),
		closing:     new(closing),
	}
}

// leave marks our row dead, so that what could not be given back is free at once. If the database
// is away, our beat standing still will say the same.
func (e *Engine) leave(node int64) {
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.pace.lease)
	defer cancel()
	if err := leaveNode(ctx, e.pool, node); err != nil {
		e.log.Warn("node row left behind", "node", node, "error", err)
	}
}

// Prune deletes notices sent before a moment, and what is kept of fan-outs finished before it apart
// from the counts of posts. It returns how many rows that were, about; call it again while it
// returns more than 0.
func (e *Engine) Prune(ctx context.Context, before time.Time) (int64, error) {
	return pruneFanouts(ctx, e.pool, before)
}

// PrunePolicies deletes MTA-STS policies that hold no more.
func (e *Engine) PrunePolicies(ctx context.Context) error {
	_, err := prunePolicies(ctx, e.pool, stsStored)
	return err
}
