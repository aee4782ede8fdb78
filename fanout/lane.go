package fanout

import (
	"context"
	"errors"
	"sync"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

const (
	startWindow = 4  // connections before anything was delivered
	claimAhead  = 4  // runs that wait at a lane beside those its workers have
	laneQueue   = 64 // more than any lane claims
	// slowLimit is how many recipients in a row may be answered 4.7.x before their destination is
	// taken to mean all of us: one alone is a greylist's everyday word.
	slowLimit = 10
	// routeAge is how long the servers of a destination are kept.
	routeAge = 5 * time.Minute
)

// errBlocked is a destination that is left alone for a while.
var errBlocked = errors.New("the destination is not answering, it is left alone for a while")

// errNoSlot is a destination that had no room in time.
var errNoSlot = errors.New("no connection to the destination was free")

// lane is what a node knows of one destination: how many connections it may have, what waits for
// one, and whether it is left alone.
type lane struct {
	traffic *traffic
	dest    int64 // row, 0 for a domain met only in mixed shards
	name    string
	domain  string // "" for the relay and for mixed
	mixed   bool   // its runs are of many domains; it has no connections of its own
	queue   chan *run

	mu       sync.Mutex
	window   int // connections allowed now: grows with success
	open     int // that there are, or are being made
	workers  int
	waiting  int // workers without a run
	claimed  int // runs claimed and not given back
	idle     []*link
	warming  bool          // a connection is being made ahead of who will want it
	freed    chan struct{} // closed and replaced when a slot or an idle link is there
	failures int
	slow     int // recipients in a row answered 4.7.x
	until    time.Time
	steady   time.Time // the window does not grow before
	rcptMax  int
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
	return min(max(l.limit()+claimAhead-l.claimed, 0), laneQueue)
}

// limit is how many workers there may be now.
func (l *lane) limit() int {
	if l.mixed {
		return l.traffic.share()
	}
	return min(l.window, l.traffic.share())
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

// offer queues a run and sees that there is somebody to take it.
func (l *lane) offer(r *run) {
	l.mu.Lock()
	blocked := l.blockedLocked() // meanwhile: who waited has been sent back already
	if !blocked {
		l.queue <- r // never blocks: room keeps to its capacity
		l.staff()
	}
	l.mu.Unlock()
	if blocked {
		l.traffic.release(r)
	}
}

// staff starts a worker where runs wait and one more is allowed.
func (l *lane) staff() {
	if len(l.queue) > l.waiting && l.workers < l.limit() && !l.blockedLocked() {
		l.workers++
		l.traffic.start(l)
	}
}

// next waits for a run. Nil: none came, and the worker's place is given up.
func (l *lane) next(ctx context.Context, patience time.Duration) *run {
	l.mu.Lock()
	l.waiting++
	l.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var r *run
	select {
	case r = <-l.queue:
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if r == nil && ctx.Err() == nil { // one may have come just now, counting on this worker
		select {
		case r = <-l.queue:
		default:
		}
	}
	if r == nil {
		l.workers--
	}
	return r
}

// at hand: a run that waits, or nil.
func (l *lane) poll() *run {
	select {
	case r := <-l.queue:
		return r
	default:
		return nil
	}
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

// acquire takes a connection of the lane: an idle one, or a new one in a free slot, for which it
// waits as long as ctx lasts.
func (l *lane) acquire(ctx context.Context) (*link, error) {
	for {
		l.mu.Lock()
		l.touched = time.Now()
		if l.blockedLocked() {
			l.mu.Unlock()
			return nil, errBlocked
		}
		if n := len(l.idle); n > 0 {
			k := l.idle[n-1]
			l.idle = l.idle[:n-1]
			l.mu.Unlock()
			return k, nil
		}
		if l.open < l.limit() && !l.warming {
			l.open++
			l.mu.Unlock()
			return l.openSlot(ctx)
		}
		freed := l.freed
		l.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, errNoSlot
		}
	}
}

// openSlot makes a connection in a slot that was taken for it.
func (l *lane) openSlot(ctx context.Context) (*link, error) {
	k, err := l.traffic.open(ctx, l)
	if err != nil {
		l.release()
	}
	return k, err
}

// warm makes a connection for somebody who will want one soon, where there is none: of the many
// destinations of a mixed shard those that do not answer are waited for together.
func (l *lane) warm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open > 0 || l.warming || l.blockedLocked() || l.traffic.soft.Err() != nil {
		return
	}
	l.open++
	l.warming = true
	l.traffic.wg.Go(func() {
		ctx, cancel := context.WithTimeout(l.traffic.soft, l.traffic.pace.slot)
		defer cancel()
		k, err := l.openSlot(ctx)
		l.mu.Lock()
		l.warming = false
		l.announce()
		l.mu.Unlock()
		var final *smtp.Reply
		var failed *smtpclient.Error
		switch {
		case err == nil:
			l.keep(k)
		case l.traffic.soft.Err() != nil:
		case errors.As(err, &failed) || !errors.As(err, &final):
			l.trouble(err.Error())
		}
	})
}

// keep puts a connection by for whoever comes next.
func (l *lane) keep(k *link) {
	l.mu.Lock()
	l.idle = append(l.idle, k)
	l.announce()
	l.mu.Unlock()
	time.AfterFunc(l.traffic.pace.idle, func() {
		if l.take(k) {
			k.close()
		}
	})
}

// take removes a connection from the idle ones, if it is still there.
func (l *lane) take(k *link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.idle {
		if other == k {
			l.idle = append(l.idle[:i], l.idle[i+1:]...)
			return true
		}
	}
	return false
}

// release frees a slot.
func (l *lane) release() {
	l.mu.Lock()
	l.open--
	l.announce()
	l.mu.Unlock()
}

func (l *lane) announce() {
	close(l.freed)
	l.freed = make(chan struct{})
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
		return min(l.rcptMax, batchSize)
	}
	return batchSize
}

// overfull notes that a server took only n recipients.
func (l *lane) overfull(n int) {
	l.mu.Lock()
	l.rcptMax = n
	l.mu.Unlock()
}

// succeeded widens the window by one for each text that was taken, up to the limit (slow start:
// doubling with each round), and ends what trouble there was.
func (l *lane) succeeded() {
	l.mu.Lock()
	had := l.failures
	l.failures, l.slow = 0, 0
	grown := l.window < l.traffic.connections && !time.Now().Before(l.steady)
	if grown {
		l.window++
		l.staff()
	}
	l.mu.Unlock()
	if grown {
		l.traffic.hungry()
	}
	if had > 0 {
		l.traffic.saveBlock(l, 0, 0, "")
	}
}

// rest is how long somebody waits who was not served now.
func (l *lane) rest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.traffic.pace.soon(), time.Until(l.until))
}

// slowed hears that a recipient was answered 4.7.x, and backs off after many in a row.
func (l *lane) slowed(reply *smtp.Reply) {
	l.mu.Lock()
	l.slow++
	many := l.slow >= slowLimit
	l.mu.Unlock()
	if many {
		l.trouble(reply.Error())
	}
}

// crowded hears that a connection beyond those there are was refused: the server has a limit of
// its own. It reports false where there are no others, so that it means the destination as such.
func (l *lane) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open-len(l.idle) < 1 || l.failures > 0 {
		return false
	}
	l.window, l.steady = l.open, time.Now().Add(l.traffic.pace.steady)
	return true
}

// trouble leaves the destination alone for a while, longer each time, and begins again with one
// connection.
func (l *lane) trouble(reason string) {
	l.mu.Lock()
	if l.blockedLocked() { // known already, from another connection
		l.mu.Unlock()
		return
	}
	l.failures++
	l.slow, l.window = 0, 1
	failures, wait := l.failures, l.traffic.pace.block(l.failures)
	l.until = time.Now().Add(wait)
	l.announce() // who waits for a slot need not
	l.mu.Unlock()
	l.traffic.log.Warn("destination left alone", "destination", l.name, "for", wait.Round(time.Second), "failures", failures, "reason", reason)
	l.traffic.saveBlock(l, failures, wait, reason)
	l.sendBack()
}

// hops are the servers of the destination, looked up again when they are old.
func (l *lane) hops(ctx context.Context) ([]hop, error) {
	l.routeMu.Lock()
	defer l.routeMu.Unlock()
	if time.Since(l.routed) < routeAge && (l.route != nil || l.noRoute != nil) {
		return l.route, l.noRoute
	}
	hops, err := l.traffic.router.hops(ctx, l.domain)
	var final *smtp.Reply
	if err != nil && !errors.As(err, &final) {
		return nil, err
	}
	l.route, l.noRoute, l.routed = hops, err, time.Now()
	return hops, err
}

// inherit takes over what other nodes, or this one before it started, found out: after failures
// the destination is tried with one connection.
func (l *lane) inherit(failures int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failures > l.failures {
		l.failures, l.window = failures, 1
	}
}

// closeIdle ends the connections that nobody uses.
func (l *lane) closeIdle() {
	l.mu.Lock()
	idle := l.idle
	l.idle = nil
	l.mu.Unlock()
	for _, k := range idle {
		k.close()
	}
}
