package fanout

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

const (
	startWindow = 4  // connections before anything was delivered
	claimAhead  = 4  // runs that wait at a lane beside those its workers have
	claimMost   = 64 // shards that are claimed at a time
	// slowLimit is how many recipients in a row may be answered 4.7.x before their destination is
	// taken to mean all of us: one alone is a greylist's everyday word.
	slowLimit = 10
)

// errBlocked is a destination that is left alone for a while.
var errBlocked = errors.New("the destination is not answering, it is left alone for a while")

// errNoSlot is a destination that had no room in time.
var errNoSlot = errors.New("no connection to the destination was free")

// lane is what a node knows of one destination: how many connections it may have, what waits for
// one, and whether it is left alone.
type lane struct {
	traffic *traffic
	name    string
	domain  string // "" for relays and for mixed; of a set of exchangers, one that led here
	// way is that of all domains that lead here; without exchangers where only the domain is known.
	way
	misnamed bool        // domains get lanes of their own in its place; traffic.mu guards it
	relays   *relayGroup // nil for all others
	rule     *Rule       // nil: none was set
	mixed    bool        // its runs are of many domains; it has no connections of its own

	mu       sync.Mutex
	dests    map[int64]struct{} // rows whose shards went through; none of a domain met only in mixed shards
	window   int                // connections allowed now: grows with success
	open     int                // that there are, or are being made
	workers  int
	queue    []*run      // that no worker has yet; empty while workers wait
	waiting  []chan *run // a worker without a run each, in order; with room for one
	claimed  int         // runs claimed and not given back
	idle     []*link
	warming  bool          // a connection is being made ahead of who will want it
	freed    chan struct{} // closed and replaced when a slot or an idle link is there
	failures int
	slow     int       // recipients in a row answered 4.7.x
	well     time.Time // when a text was taken last
	until    time.Time
	why      error     // the latest trouble
	saved    time.Time // the block until then is stored since; zero: not yet
	savedTo  []int64   // for these rows
	told     time.Time // other nodes know of the block until then since
	imposed  bool      // it is another node that found the trouble
	last     lastWord
	offered  map[string]bool // which addresses offered STARTTLS the last time
	steady   time.Time       // the window does not grow before
	rcptMax  int
	turn     pacer             // of the next copy, where a rate is set
	lessons  map[string]lesson // by address
	touched  time.Time

	routeMu sync.Mutex
	route   []hop
	routed  time.Time
	noRoute error
}

// room is how many runs the lane can take.
func (l *lane) room() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blockedLocked() {
		return 0
	}
	return min(max(l.limit()+claimAhead-l.claimed, 0), claimMost)
}

// noticeRoom is how many runs of notices the lane can take beyond its room, where they need not wait for
// what others wait for.
func (l *lane) noticeRoom() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blockedLocked() {
		return 0
	}
	return min(max(l.limit()+5*claimAhead-l.claimed, 0), claimMost)
}

// limit is how many workers there may be now.
func (l *lane) limit() int {
	if l.mixed {
		return l.traffic.share()
	}
	return min(l.window, l.share())
}

func (l *lane) blockedLocked() bool { return time.Now().Before(l.until) }

// blocked says whether nobody is to go there now.
func (l *lane) blocked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blockedLocked()
}

// reserve counts runs that were claimed for the lane.
func (l *lane) reserve(n int) {
	l.mu.Lock()
	l.claimed += n
	l.touched = time.Now()
	l.mu.Unlock()
}

// offer gives a run to a worker that waits, or queues it and sees that there is somebody to take it.
// It takes as many as were claimed, however narrow the window has become meanwhile, and never waits.
func (l *lane) offer(r *run) {
	l.mu.Lock()
	blocked := l.blockedLocked() // meanwhile: who waited has been sent back already
	switch {
	case blocked:
	case len(l.waiting) > 0:
		l.waiting[0] <- r
		l.waiting = l.waiting[1:]
	default:
		l.enqueue(r)
		l.staff()
	}
	l.mu.Unlock()
	if blocked {
		l.traffic.release(r)
	}
}

// enqueue puts a run at the end of the queue, or a notice behind those before it. l.mu is held.
func (l *lane) enqueue(r *run) {
	at := len(l.queue)
	if r.isNotice() {
		if i := slices.IndexFunc(l.queue, func(r *run) bool { return !r.isNotice() }); i >= 0 {
			at = i
		}
	}
	l.queue = slices.Insert(l.queue, at, r)
}

// noticeWaits says whether a notice is next.
func (l *lane) noticeWaits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) > 0 && l.queue[0].isNotice()
}

// staff starts a worker where runs wait and one more is allowed.
func (l *lane) staff() {
	if len(l.queue) > 0 && l.workers < l.limit() && !l.blockedLocked() {
		l.workers++
		l.traffic.start(l)
	}
}

// next waits for a run. Nil: none came, and the worker's place is given up.
func (l *lane) next(ctx context.Context, patience time.Duration) *run {
	l.mu.Lock()
	if r := l.first(); r != nil {
		l.mu.Unlock()
		return r
	}
	mine := make(chan *run, 1)
	l.waiting = append(l.waiting, mine)
	l.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-mine:
		return r
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, mine)
	if i < 0 { // one has come just now, counting on this worker
		return <-mine
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	l.workers--
	return nil
}

// poll is a run that waits, or nil.
func (l *lane) poll() *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first()
}

func (l *lane) first() *run {
	if len(l.queue) == 0 {
		return nil
	}
	r := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return r
}

// resign gives up the place of a worker that cannot go on. The last one sends back what waits.
func (l *lane) resign() {
	l.mu.Lock()
	l.workers--
	last := l.workers == 0
	l.mu.Unlock()
	if last {
		l.sendBack()
	}
}

// sendBack gives the runs that wait back to the queue.
func (l *lane) sendBack() {
	for r := l.poll(); r != nil; r = l.poll() {
		l.traffic.release(r)
	}
}

// returned counts a run that left the lane.
func (l *lane) returned() {
	l.mu.Lock()
	l.claimed--
	more := l.claimed < l.limit()+claimAhead/2
	l.mu.Unlock()
	if more {
		l.traffic.hungry()
	}
}

// opened notes what a server said of itself.
func (l *lane) opened(x *smtpclient.Extensions) {
	l.mu.Lock()
	l.rcptMax = x.RcptMax
	l.mu.Unlock()
}

// batch is how many recipients a transaction may have.
func (l *lane) batch() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rcptMax > 0 {
		return min(l.rcptMax, l.batchLimit())
	}
	return l.batchLimit()
}

// overfull notes that a server took only n recipients.
func (l *lane) overfull(n int) {
	l.mu.Lock()
	l.rcptMax = n
	l.mu.Unlock()
}

// hops are the servers of the destination, looked up again when they are old.
func (l *lane) hops(ctx context.Context) ([]hop, error) {
	l.routeMu.Lock()
	defer l.routeMu.Unlock()
	if time.Since(l.routed) < l.traffic.pace.route && (l.route != nil || l.noRoute != nil) {
		return l.route, l.noRoute
	}
	ctx, cancel := context.WithTimeout(ctx, routeTime) // others wait for this
	defer cancel()
	hops, err := l.lookUp(ctx)
	hops = slices.Clone(hops)
	for i, h := range hops {
		if !h.isSocket() {
			hops[i].tls = l.encryption().policy(h.tls)
		}
	}
	var final *smtp.Reply
	if err != nil && (l.exchangers != nil || !errors.As(err, &final)) { // what is wrong with a set may not be with a domain
		return nil, err
	}
	l.route, l.noRoute, l.routed = hops, err, time.Now()
	l.unlearn()
	return hops, err
}

func (l *lane) lookUp(ctx context.Context) ([]hop, error) {
	switch {
	case l.relays != nil && l.encryption() == Clear: // which leaves DANE aside
		return l.relays.hops, nil
	case l.relays != nil:
		return l.traffic.router.relayed(ctx, l.relays)
	}
	if l.exchangers == nil {
		return l.traffic.router.hops(ctx, l.domain)
	}
	// The domain may have moved since: the lane has not, and whose turn it is sees that (moved).
	w := l.way
	w.exchangers = inOrder(w.exchangers)
	return l.traffic.router.addresses(ctx, l.domain, w)
}

// reroute has the servers of the destination looked up again with the next connection.
func (l *lane) reroute() {
	l.routeMu.Lock()
	l.routed = time.Time{}
	l.routeMu.Unlock()
}
