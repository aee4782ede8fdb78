package fanout

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/smtp/smtpclient"
)

// traffic is all that a node sends while it has one node row: its lanes, their workers, and the
// runs they hold.
type traffic struct {
	pool        *pgxpool.Pool
	node        int64
	log         *slog.Logger
	pace        pace
	router      *router
	options     smtpclient.Options
	connections int // to a destination, of all nodes together
	rules       rules
	throttle    *throttle // of all that goes out; nil: none
	tally       *tally
	encryption  Encryption
	living      *atomic.Int64
	library     *library
	packer      *packer
	committer   *committer
	lease       *lease

	soft context.Context // ends when nothing new is to be begun
	hard context.Context // ends when nothing may be sent any more

	wake    chan struct{} // the dispatcher has room or work
	loading chan struct{} // a slot for each shard being read
	wg      sync.WaitGroup

	crowded int64           // the dispatcher's: rows after it found their lane full
	retried map[int64]int64 // the dispatcher's: how often it was seen that what shards of many are for is wanted again

	mu       sync.Mutex
	lanes    map[string]*lane
	rows     map[int64]*lane          // that the shards of a row of the queue go through
	aliases  map[string]alias         // by domain
	meeting  map[string]chan struct{} // domains being looked up; closed at the end
	held     map[int64]*atomic.Bool   // shards that some run here stands for, and whether it is to stop
	troubles map[string]*troubleRow   // by lane, as other nodes tell
	listened time.Time                // when that was read
	ended    map[line]struct{}        // where runs have ended since the dispatcher looked
	fresh    *freshShards
	closing  *closing // fan-outs that may be through
}

// maxLoading is how many shards are read from the database at a time.
const maxLoading = 3

// share is how many connections to one destination fall to this node.
func (t *traffic) share() int { return t.shareOf(t.connections) }

func (t *traffic) shareOf(connections int) int {
	return max(connections/int(max(t.living.Load(), 1)), 1)
}

// hungry wakes the dispatcher.
func (t *traffic) hungry() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// start runs a worker for a lane.
func (t *traffic) start(l *lane) {
	t.wg.Go(func() { newWorker(t, l).work() })
}

// lane finds the lane of a destination, dest being its row if it has one: that of its exchangers
// where they are known.
func (t *traffic) lane(name string, dest int64) *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	domain, isDomain := strings.CutPrefix(name, destDomain(""))
	a, known := t.aliases[domain]
	if isDomain && known {
		name = a.lane
	}
	l := t.lanes[name]
	if l == nil {
		l = &lane{
			traffic: t, name: name, relays: t.router.relays.named(name),
			freed: make(chan struct{}),
		}
		// Relays that are configured no more leave what was for them to whom it is for now.
		l.mixed = name == destMixed || isRelay(name) && l.relays == nil
		switch {
		case isDomain && known:
			l.domain, l.way, l.rule = domain, a.way, a.rule
		case isDomain:
			l.domain = domain
			l.rule, _ = t.rules.of(domain, nil)
		case l.relays != nil:
			l.rule = t.rules.ofRelays(l.relays)
		}
		l.window = min(startWindow, l.most())
		t.lanes[name] = l
		if row := t.troubles[name]; row != nil && !l.mixed {
			l.hearOf(row, t.listened)
		}
	}
	t.carries(l, dest)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touched = time.Now()
	return l
}

// How long a lane without work is remembered.
const (
	laneAge = 15 * time.Minute
	metAge  = time.Minute // met by members of mixed shards alone, and not in trouble: there may be very many
)

// age is how long the lane is remembered. l.mu is held.
func (l *lane) age() time.Duration {
	if len(l.dests) == 0 && l.failures == 0 {
		return metAge
	}
	return laneAge
}

// forget drops lanes that nothing has gone through for long, and ends connections that nobody uses.
func (t *traffic) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, l := range t.lanes {
		l.mu.Lock()
		l.closeIdle(t.pace.idle)
		if l.open == 0 && l.workers == 0 && l.claimed == 0 && !l.blockedLocked() && time.Since(l.touched) > l.age() {
			delete(t.lanes, name)
			for id := range l.dests {
				delete(t.rows, id)
			}
		}
		l.mu.Unlock()
	}
	for domain, a := range t.aliases {
		age := metAge
		if t.lanes[a.lane] != nil {
			age = laneAge
		}
		if time.Since(a.found) > age {
			delete(t.aliases, domain)
		}
	}
}

// dispatch claims shards for lanes with room, until soft ends.
func (t *traffic) dispatch() {
	poll := time.NewTicker(t.pace.poll)
	defer poll.Stop()
	sweep := time.NewTicker(t.pace.sweep)
	defer sweep.Stop()
	t.listenForTrouble()
	for t.soft.Err() == nil {
		if err := t.advance(); err != nil && t.soft.Err() == nil {
			t.log.Error("making ready what is next", "error", err)
		}
		if err := t.claimAll(); err != nil && t.soft.Err() == nil {
			t.log.Error("claiming shards", "error", err)
		}
		select {
		case <-t.soft.Done():
		case <-t.wake:
		case <-poll.C:
		case <-sweep.C:
			t.forget()
			t.listenForTrouble()
			if err := t.review(); err != nil && t.soft.Err() == nil {
				t.log.Error("looking at what is claimed", "error", err)
			}
		}
	}
}

// readyPage is how many destinations are looked at in one query.
const readyPage = 500

// claimAll claims what there is room for, destination by destination. It begins with the first that
// found its lane full the last time, so that of those which share a lane each has its turn.
func (t *traffic) claimAll() error {
	begin := t.crowded
	t.crowded = 0
	t.throttle.begin()
	if err := t.claimAfter(begin, math.MaxInt64); err != nil || begin == 0 {
		return err
	}
	return t.claimAfter(0, begin)
}

// claimAfter claims for the destinations whose rows are after one and not after another.
func (t *traffic) claimAfter(after, last int64) error {
	for {
		asked := time.Now()
		ready, err := selectReady(t.soft, t.pool, after, readyPage)
		if err != nil {
			return err
		}
		for _, d := range ready {
			if d.ID > last {
				return nil
			}
			after = d.ID
			if !d.Open {
				continue
			}
			l := t.lane(d.Name, d.ID)
			l.lift(d.ID, asked)
			t.liftAll(l, d)
			if err := t.claim(l, d); err != nil {
				return err
			}
		}
		if len(ready) < readyPage {
			return nil
		}
	}
}

// liftAll ends all blocks where somebody wants what shards of many are for tried again, and this was not
// seen before: their destinations may have no row that says so of each.
func (t *traffic) liftAll(l *lane, d readyDest) {
	if !l.mixed || t.retried[d.ID] == d.Retried {
		return
	}
	t.retried[d.ID] = d.Retried
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lanes {
		l.mu.Lock()
		l.until = time.Time{}
		l.mu.Unlock()
	}
	clear(t.troubles)
}

// claim takes as many shards for a lane as it has room for, and reads them.
func (t *traffic) claim(l *lane, d readyDest) error {
	room := l.room()
	of := claimOf{t.node, d.ID, math.MaxInt64, t.throttle.allows(room)}
	if of.limit == 0 {
		if t.crowded == 0 && (l.shared() || room > 0) {
			t.crowded = d.ID - 1
		}
		if t.throttle == nil || l.domain != "" { // where no notice is
			return nil
		}
		if of.limit, of.last = l.noticeRoom(), noticeTurn; of.limit == 0 {
			return nil
		}
	}
	claims, err := claimShards(t.soft, t.pool, of) // some may be ours though it failed
	t.throttle.claimed(len(claims))
	if !l.inherit(&d) {
		err = errors.Join(err, clearFailures(t.soft, t.pool, d.ID))
	}
	l.reserve(len(claims))
	t.mu.Lock()
	for i := range claims {
		claims[i].stop = new(atomic.Bool)
		t.held[claims[i].ID] = claims[i].stop
	}
	t.mu.Unlock()
	for _, c := range claims {
		t.wg.Go(func() { t.load(l, c, d) })
	}
	return err
}

// load reads what a claimed shard needs and queues it at its lane.
func (t *traffic) load(l *lane, c claim, d readyDest) {
	l, room := t.steer(l, d)
	if !room {
		t.release(newRun(c, &recipients{}, nil, l))
		return
	}
	t.loading <- struct{}{}
	defer func() { <-t.loading }()
	who, err := t.recipients(&c)
	if err != nil {
		t.unloaded(newRun(c, &recipients{}, nil, l), shardReady, err)
		return
	}
	m, err := t.library.borrow(t.hard, c.Fanout)
	r := newRun(c, who, m, l)
	if domain, ok := strings.CutPrefix(d.Name, destDomain("")); ok {
		r.domain = domain
	}
	switch {
	case isPoison(err):
		t.setAside(r, err)
	case isDisk(err):
		t.putOff(r, err)
	case err != nil:
		t.unloaded(r, shardReady, err)
	default:
		if who.fresh { // when they were planned they were asked for, not now
			m.leavers.ask(t.hard, t.pool, c.Fanout, t.log)
			r.drop(len(r.members), m.leavers.has)
			r.checked = min(firstCheck(m), len(r.members))
		}
		l.offer(r)
	}
}

// recipients reads who is left to do in a claimed shard. Who planned it a moment ago knows.
func (t *traffic) recipients(c *claim) (*recipients, error) {
	if who := t.fresh.take(c.ID); who != nil && c.Done == 0 && !c.Retry {
		return who, nil
	}
	return selectClaimed(t.hard, t.pool, c)
}

// setAside takes a fan-out out of the queue whose message cannot be made.
func (t *traffic) setAside(r *run, reason error) {
	t.log.Error("message cannot be composed, its fan-out is set aside", "fanout", r.Fanout, "error", reason)
	if err := setAsideFanout(t.hard, t.pool, r.Fanout, clean(reason.Error())); err != nil {
		t.unloaded(r, shardReady, err)
		return
	}
	t.unloaded(r, shardAside, nil)
}

func (t *traffic) unloaded(r *run, state string, err error) {
	if err != nil && t.hard.Err() == nil {
		t.log.Error("shard not read", "shard", r.ID, "error", err)
	}
	t.leave(r, state)
}

// putOff gives a run's shard back whose message could not be written to disk or read from there, but
// not at once, or it would be claimed again at once.
func (t *traffic) putOff(r *run, err error) {
	t.log.Error("the file of a long message failed, its copies wait", "shard", r.ID, "wait", t.pace.disk, "error", err)
	t.wg.Go(func() {
		timer := time.NewTimer(t.pace.disk)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-t.soft.Done():
		}
		t.release(r)
	})
}

// release gives a run's shard back to the queue.
func (t *traffic) release(r *run) { t.leave(r, shardReady) }

// leave saves a run's last outcome and lets go of it, without waiting.
func (t *traffic) leave(r *run, state string) {
	r.outcome.state = state
	r.outcome.journal = r.journal.take(t.packer)
	t.committer.save(&r.outcome)
	t.wg.Go(func() {
		<-r.outcome.result // whatever it is: a shard that is still ours is freed by review
		t.dismiss(r)
	})
}

// dismiss forgets a run whose last outcome has been answered.
func (t *traffic) dismiss(r *run) {
	t.mu.Lock()
	before := r.gone
	r.gone = true
	if t.held[r.ID] == r.stop { // given back, it may have been claimed again meanwhile
		delete(t.held, r.ID)
	}
	t.mu.Unlock()
	if before {
		return
	}
	if r.message != nil && t.library.giveBack(r.Fanout) {
		t.closing.add(r.Fanout)
	}
	t.finished(r)
	r.lane.returned()
}

// review looks at what the database thinks is ours. What is held or dropped meanwhile its run is to
// stop sending. What no run stands for it gives back: a claim whose answer was lost, a worker that
// died. Only the dispatcher claims, and it is here now.
func (t *traffic) review() error {
	shards, err := selectOwn(t.soft, t.pool, t.node)
	if err != nil {
		return err
	}
	var orphans []int64
	t.mu.Lock()
	for _, s := range shards {
		if stop, ok := t.held[s.ID]; !ok {
			orphans = append(orphans, s.ID)
		} else if s.Stop {
			stop.Store(true)
		}
	}
	t.mu.Unlock()
	if len(orphans) == 0 {
		return nil
	}
	t.log.Warn("shards that nobody works on are free again", "shards", len(orphans))
	return freeOwn(t.soft, t.pool, t.node, orphans)
}

// drain gives back what waits at the lanes and closes their idle connections. It is called when
// soft has ended and the dispatcher with it.
func (t *traffic) drain() {
	t.mu.Lock()
	lanes := make([]*lane, 0, len(t.lanes))
	for _, l := range t.lanes {
		lanes = append(lanes, l)
	}
	t.mu.Unlock()
	for _, l := range lanes {
		l.sendBack()
		l.mu.Lock()
		l.closeIdle(0)
		l.mu.Unlock()
	}
}
