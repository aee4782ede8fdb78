package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Rule is what an administrator has set for some destinations. What is zero is as for all others.
type Rule struct {
	// Match has the patterns, as ParsePattern makes them, of the domains of recipients, or of the hosts
	// of MX and relays, that it is for. Of several rules the first that is for a destination counts.
	Match       []string
	Connections int  // at a time, of all nodes together, but one for each at least
	Rate        Rate // of copies, of all nodes together
	Recipients  int  // of a transaction
	TLS         Encryption
}

// Rate is so many in a time.
type Rate struct {
	N   int
	Per time.Duration
}

// String is the rate as ParseRate takes it; "" for none.
func (r Rate) String() string {
	if r.N == 0 {
		return ""
	}
	unit := r.Per.String()
	for _, one := range []struct {
		per  time.Duration
		name string
	}{{time.Second, "s"}, {time.Minute, "m"}, {time.Hour, "h"}, {24 * time.Hour, "d"}} {
		if r.Per == one.per {
			unit = one.name
		}
	}
	return strconv.Itoa(r.N) + "/" + unit
}

// ErrRate is a rate that cannot be used.
var ErrRate = errors.New(`a rate is a number and "/s", "/m", "/h" or "/d"`)

// ParseRate reads a rate such as 100/m; none is the zero Rate.
func ParseRate(s string) (Rate, error) {
	if s == "" {
		return Rate{}, nil
	}
	number, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.TrimSpace(unit)]
	if err != nil || n < 1 || n > 1e9 || per == 0 {
		return Rate{}, fmt.Errorf("%q: %w", s, ErrRate)
	}
	return Rate{n, per}, nil
}

// The spans that a window may have.
const (
	shortestWindow = 10 * time.Minute
	longestWindow  = 31 * 24 * time.Hour
)

// ErrWindow is a window that cannot be used.
var ErrWindow = errors.New(`a window is a number of copies and a time from 10m to 31d, as in "50000/24h"`)

// ParseWindow reads how many copies may go out in any span of some length, such as 50000/24h or
// 1000000/30d; none is the zero Rate.
func ParseWindow(s string) (Rate, error) {
	if s == "" {
		return Rate{}, nil
	}
	number, span, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	per, badSpan := parseSpan(strings.TrimSpace(span))
	if err != nil || badSpan != nil || n < 1 || n > 1e9 || per < shortestWindow || per > longestWindow {
		return Rate{}, fmt.Errorf("%q: %w", s, ErrWindow)
	}
	return Rate{n, per}, nil
}

func parseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if n > 31 {
			return 0, ErrWindow
		}
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// cost is how long the share of one of the living nodes takes for so many copies.
func (r Rate) cost(copies int, living *atomic.Int64) time.Duration {
	nodes := max(living.Load(), 1)
	return time.Duration(float64(r.Per) / float64(r.N) * float64(copies) * float64(nodes))
}

// rules are asked in order.
type rules []Rule

// of finds the rule for mail to a domain by way of some hosts, and whether it is the domain that it is
// for: then the domain is a destination of its own, whoever shares its hosts. Nil: there is none.
func (rs rules) of(domain string, hosts []string) (r *Rule, own bool) {
	for i := range rs {
		r := &rs[i]
		if domain != "" && fits(r.Match, domain) {
			return r, true
		}
		if slices.ContainsFunc(hosts, func(host string) bool { return fits(r.Match, host) }) {
			return r, false
		}
	}
	return nil, false
}

// ofRelays finds the rule for a group of relays.
func (rs rules) ofRelays(g *relayGroup) *Rule {
	hosts := make([]string, len(g.hops))
	for i, h := range g.hops {
		hosts[i] = h.name
	}
	r, _ := rs.of("", hosts)
	return r
}

// ofSet finds the rule for mail to a domain with some exchangers, and the name of its lane.
func (rs rules) ofSet(domain string, exchangers []MX) (r *Rule, name string) {
	hosts := make([]string, len(exchangers))
	for i, mx := range exchangers {
		hosts[i] = mx.Host
	}
	name = setName(exchangers)
	r, own := rs.of(domain, hosts)
	if own {
		name = shortName(name + " for " + strings.Join(r.Match, ","))
	}
	return r, name
}

// most is how many connections there may be to a destination, of all nodes together.
func (l *lane) most() int {
	if l.rule != nil && l.rule.Connections > 0 {
		return l.rule.Connections
	}
	return l.traffic.connections
}

// share is how many of them fall to this node.
func (l *lane) share() int { return l.traffic.shareOf(l.most()) }

// batchLimit is how many recipients a transaction may have by rule.
func (l *lane) batchLimit() int {
	limit := l.traffic.throttle.most()
	if l.rule == nil {
		return limit
	}
	if n := l.rule.Recipients; n > 0 {
		limit = min(limit, n)
	}
	if n := l.rule.Rate.N; n > 0 {
		limit = min(limit, n)
	}
	return limit
}

// turnLag is how late a turn may be taken without those after it being later too.
const turnLag = 100 * time.Millisecond

// pacer has turns that come at a rate: what goes, goes evenly, no batch before those that went have had
// their time. Nobody has a turn ahead of time, which who stops meanwhile would have to give back.
type pacer struct {
	turn time.Time // the next
}

// wait is how long it is until the next turn; 0 if it has come.
func (p *pacer) wait(now time.Time) time.Duration { return max(p.turn.Sub(now), 0) }

// take takes the turn, which lasts for some time.
func (p *pacer) take(now time.Time, cost time.Duration) {
	if least := now.Add(-turnLag); p.turn.Before(least) {
		p.turn = least
	}
	p.turn = p.turn.Add(cost)
}

// book takes the turn of so many copies if it has come, and says else how long it is until then.
func (l *lane) book(copies int) (wait time.Duration, ok bool) {
	if l.rule == nil || l.rule.Rate.N == 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait = l.turn.wait(now); wait > 0 {
		return wait, false
	}
	l.turn.take(now, l.rule.Rate.cost(copies, l.traffic.living))
	return 0, true
}

// unbook gives the turn of so many copies back.
func (l *lane) unbook(copies int) {
	if l.rule == nil || l.rule.Rate.N == 0 {
		return
	}
	l.mu.Lock()
	l.turn.turn = l.turn.turn.Add(-l.rule.Rate.cost(copies, l.traffic.living))
	l.mu.Unlock()
}

// book takes the turn of a batch at its destination and its room in what may go out at all. If one of
// them is not there, it says which, and how long to wait before asking again.
func (b *batch) book() (wait time.Duration, why error) {
	wait, ok := b.lane.book(len(b.who))
	if !ok {
		return wait, errRate
	}
	if wait, ok = b.lane.traffic.throttle.take(b); !ok {
		b.lane.unbook(len(b.who))
		return wait, errThrottle
	}
	return 0, nil
}

// errRate is a destination whose rate leaves no turn in time.
var errRate = errors.New("the rate set for the destination leaves no room now")

// nap is how long a batch waits for its turn before it is looked at again.
const nap = time.Second

// inTurn says whether it is a batch's turn, at its destination and at all. If not, it has waited for a while and is
// put back: when it is taken again, what is held or dropped and who has left meanwhile are seen. What
// waits long gives its connection up, which the server would not keep.
func (w *worker) inTurn(b *batch) bool {
	if limit := b.lane.batch(); len(b.who) > limit { // who does not go along waits for a turn of their own
		b.cut(limit)
	}
	for began := time.Now(); ; {
		wait, why := b.book()
		if why == nil {
			w.queues(false)
			return true
		}
		alone := w.lane.mixed && why == errRate              // others of the shard need not wait
		if alone && time.Since(began)+wait > w.t.pace.slot { // which may not wait long for any one of them
			w.unreachable(b, errRate)
			return false
		}
		w.queues(why == errThrottle)
		w.saved()
		if wait > w.t.pace.idle {
			w.close()
		}
		err := sleep(w.t.soft, min(wait, nap))
		if err == nil && alone && !b.run.stopped() {
			continue
		}
		w.back(nil, b)
		b.run.checked = min(b.run.checked, b.run.next) // who left is asked again
		b.run.yields = why == errThrottle && w.yields(b.run)
		return false
	}
}

// queues counts whether the worker waits for room in what may go out at all.
func (w *worker) queues(waits bool) {
	switch {
	case waits && !w.queued:
		w.t.throttle.enter()
	case w.queued && !waits:
		w.t.throttle.leave()
	}
	w.queued = waits
}

// yields says whether a run that waits for room is to be given back to the queue: others wait enough, or
// a notice is here, which goes before it.
func (w *worker) yields(r *run) bool {
	if w.t.throttle.crowded() {
		w.queued = false
		return true
	}
	return !r.isNotice() && w.lane.noticeWaits()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
