package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A limit on all outgoing mail. A rate is kept as that of a destination is: each living node has its
// share of it. What may go in a span of time is counted in the database, whatever nodes come and go: a
// node is granted some copies at a time, counted in the minute of the grant, and gives back what it did
// not need soon. A grant that a crash loses was counted, so that the limit holds.
//
// Who finds no room waits with its shard, and of many who wait all but a few give theirs back: it is
// the queue that says who is next, not who came first. Notices do not wait for the rate, which what
// comes after them makes good; of a span's copies the last hundredth is theirs.

const (
	// mostWaiting is how many workers of a node may wait for room, each with its shard.
	mostWaiting = 4
	// grantAge is when a grant is old, to be given back; twice that long it may be used. A copy that was
	// not sent may be used again within as long after that, so that what was granted in a minute has gone
	// three minutes after that began: for so much longer than the window it counts.
	grantAge   = 30 * time.Second
	grantSlack = 3 * time.Minute
	// grantParts is how many grants a limit is cut into, in sizes from a batch to maxGrant.
	grantParts = 200
	maxGrant   = 10_000
	// askAgain is how long a worker waits for a grant that is being asked for.
	askAgain = 10 * time.Millisecond
)

// errThrottle is a limit on all outgoing mail that leaves no room now.
var errThrottle = errors.New("the limit on all outgoing mail leaves no room now")

// throttle is a node's part in the limits on all outgoing mail. A nil one has none.
type throttle struct {
	rate, window Rate
	living       *atomic.Int64
	pool         *pgxpool.Pool
	node         int64
	log          *slog.Logger
	closedFor    time.Duration // until it is asked again for a grant that could not be had
	made         func()        // told when there may be shards to claim again
	ask          bell

	mu       sync.Mutex
	turn     pacer
	grant    grant
	used     int64 // of the window by all nodes, as of the last grant
	closed   bool  // the last grant was of nothing, or for notices alone
	notice   bool  // one waits for a grant
	waiting  int   // workers that wait for room
	refused  time.Time
	claiming int // shards that may be claimed in this round of the dispatcher
}

// grant is what may be sent and was counted already.
type grant struct {
	left   int
	minute time.Time // the database's, of the last part
	part   int       // granted in that minute
	since  time.Time // of the first part, before it was asked for
	kept   bool      // it is for notices alone
}

// ticket is what a batch has taken.
type ticket struct {
	copies int
	since  time.Time // of its grant
}

func newThrottle(cfg *Config, pool *pgxpool.Pool, node int64, living *atomic.Int64) *throttle {
	if cfg.Rate.N == 0 && cfg.Window.N == 0 {
		return nil
	}
	return &throttle{
		rate: cfg.Rate, window: cfg.Window, living: living, pool: pool, node: node, log: cfg.Log,
		closedFor: 5 * cfg.pace.poll, ask: newBell(),
	}
}

// most is how many recipients a transaction may have.
func (h *throttle) most() int {
	most := batchSize
	if h == nil {
		return most
	}
	if h.rate.N > 0 {
		most = min(most, h.rate.N)
	}
	if h.window.N > 0 {
		most = min(most, h.part())
	}
	return most
}

// part is the size of a grant.
func (h *throttle) part() int {
	part := min(max(h.window.N/grantParts, batchSize), maxGrant)
	return min(part, max(h.window.N/2, 1))
}

// keep is how much of the window is for notices alone.
func (h *throttle) keep() int { return h.window.N / 100 }

// take takes room for the copies of a batch, or says how long it is until it is worth asking again.
func (h *throttle) take(b *batch) (wait time.Duration, ok bool) {
	if h == nil {
		return 0, true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now, first, copies := time.Now(), b.run.isNotice(), len(b.who)
	if h.rate.N > 0 && !first {
		wait = h.turn.wait(now)
	}
	if wait == 0 && h.window.N > 0 {
		wait = h.spend(now, copies, first)
	}
	if wait > 0 {
		h.refused = now
		return wait, false
	}
	b.ticket = ticket{copies, h.grant.since}
	if h.rate.N > 0 {
		h.turn.take(now, h.rate.cost(copies, h.living))
	}
	return 0, true
}

// spend takes copies from the grant. h.mu is held.
func (h *throttle) spend(now time.Time, copies int, first bool) (wait time.Duration) {
	g := &h.grant
	usable := now.Sub(g.since) < 2*grantAge && (first || !g.kept)
	if usable && g.left >= copies {
		g.left -= copies
		if g.left < h.part()/2 && !h.closed {
			h.ask.ring()
		}
		return 0
	}
	if h.closed && (!first || h.notice) {
		return nap
	}
	h.notice = h.notice || first
	h.ask.ring()
	return askAgain
}

// refund gives back what a batch took beyond its first keep copies, which were not sent.
func (h *throttle) refund(b *batch, keep int) {
	n := b.ticket.copies - keep
	if h == nil || n <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rate.N > 0 {
		h.turn.turn = h.turn.turn.Add(-h.rate.cost(n, h.living))
	}
	if h.window.N > 0 && time.Since(b.ticket.since) < 2*grantAge && (b.run.isNotice() || !h.grant.kept) {
		if h.grant.left == 0 {
			h.grant.since = time.Now()
		}
		h.grant.left += n
	}
	b.ticket.copies = keep
}

// enter and leave count who waits for room.
func (h *throttle) enter() {
	h.mu.Lock()
	h.waiting++
	h.mu.Unlock()
}

func (h *throttle) leave() {
	h.mu.Lock()
	h.waiting--
	h.mu.Unlock()
	h.made()
}

// crowded says whether more wait than need to, and lets one of them go.
func (h *throttle) crowded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting <= mostWaiting {
		return false
	}
	h.waiting--
	return true
}

// begin begins a round of the dispatcher: while there was no room lately, no more shards are claimed
// than somebody may wait with.
func (h *throttle) begin() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claiming = claimMost * readyPage
	if h.waiting > 0 || time.Since(h.refused) < nap {
		h.claiming = max(mostWaiting-h.waiting, 0)
	}
}

// allows is how many of so many shards may be claimed now.
func (h *throttle) allows(n int) int {
	if h == nil {
		return n
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(n, h.claiming)
}

// claimed counts shards that were claimed in this round.
func (h *throttle) claimed(n int) {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.claiming = max(h.claiming-n, 0)
	h.mu.Unlock()
}

// Throttle is what the limits on all outgoing mail have come to, of all nodes together.
type Throttle struct {
	Rate    Rate  // zero: none
	Window  Rate  // zero: none
	Used    int64 // copies of the window, those granted to nodes and not sent yet among them
	Waiting bool  // copies wait because of them
	Closed  bool  // it is the window that they wait for
}

// state is what there is to tell.
func (h *throttle) state() Throttle {
	if h == nil {
		return Throttle{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return Throttle{
		Rate: h.rate, Window: h.window, Used: h.used, Waiting: h.waiting > 0, Closed: h.waiting > 0 && h.closed,
	}
}

// Throttled tells how the limits on all outgoing mail stand, as the living nodes tell it; all zero where
// there are none.
func (e *Engine) Throttled(ctx context.Context) (Throttle, error) {
	told, err := selectThrottles(ctx, e.pool)
	var all Throttle
	for _, one := range told {
		all.Rate, all.Window = one.Rate, one.Window
		all.Used = max(all.Used, one.Used)
		all.Waiting, all.Closed = all.Waiting || one.Waiting, all.Closed || one.Closed
	}
	return all, err
}

// tellThrottle writes the state down where it has changed since it was last, and returns it as written.
func (t *traffic) tellThrottle(last Throttle) (Throttle, error) {
	now := t.throttle.state()
	if now == last {
		return last, nil
	}
	text, err := json.Marshal(now)
	if err == nil {
		err = saveThrottle(t.soft, t.pool, t.node, text)
	}
	if err != nil {
		return last, err
	}
	return now, nil
}

// run sees to grants until soft ends, and gives back what is left of the last.
func (h *throttle) run(soft, hard context.Context) {
	if h == nil || h.window.N == 0 {
		return
	}
	tick := time.NewTicker(grantAge / 2)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-soft.Done():
			h.renew(hard, 0)
			return
		case <-tick.C:
		case <-h.ask:
			asked = true
		}
		part := h.due(asked)
		if part < 0 || h.renew(soft, part) {
			continue
		}
		if err := sleep(soft, h.closedFor); err == nil {
			h.reopen()
		}
	}
}

// reopen asks again where somebody waits, and else leaves it to who comes next.
func (h *throttle) reopen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting > 0 || time.Since(h.refused) < 2*nap {
		h.ask.ring()
		return
	}
	h.closed = false
}

// due says how much is to be asked for; less than nothing: it need not be asked.
func (h *throttle) due(asked bool) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case asked:
		return h.part()
	case h.grant.left > 0 && time.Since(h.grant.since) >= grantAge:
		return 0
	}
	return -1
}

// renew asks for a part, and gives back what is left of a grant that is old or for notices alone. It
// says whether whoever waits may go on.
func (h *throttle) renew(ctx context.Context, part int) bool {
	h.mu.Lock()
	if g := &h.grant; part > 0 && g.kept && g.left > 0 && time.Since(g.since) < 2*nap {
		h.mu.Unlock() // the notice that it is for may be on its way to it, and would find it gone each time
		return false
	}
	ask := grantAsk{node: h.node, window: h.window, keep: h.keep(), part: part, notice: h.notice}
	if g := &h.grant; g.kept || part == 0 || time.Since(g.since) >= grantAge {
		ask.back, ask.minute = min(g.left, g.part), g.minute // what is older stays counted
		h.grant = grant{}
	}
	h.mu.Unlock()
	began := time.Now()
	got, err := renewGrant(ctx, h.pool, ask)
	if err != nil {
		if ctx.Err() == nil {
			h.log.Warn("no copies granted of those that may go out, they wait", "error", err)
		}
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.used, h.notice = got.Used, false
	h.closed = part > 0 && (got.Granted == 0 || got.Kept)
	if got.Granted > 0 {
		g := &h.grant
		if g.left == 0 {
			g.since, g.kept = began, got.Kept
		}
		if !g.minute.Equal(got.Minute) {
			g.minute, g.part = got.Minute, 0
		}
		g.left += int(got.Granted)
		g.part += int(got.Granted)
	}
	return !h.closed
}
