package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	limit := batchSize
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

// book takes the turn of so many copies if it has come, and says else how long it is until then: they go
// evenly, no batch before those that went have had their time. Nobody has a turn ahead of time, which who
// stops meanwhile would have to give back.
func (l *lane) book(copies int) (wait time.Duration, ok bool) {
	if l.rule == nil || l.rule.Rate.N == 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait = l.turn.Sub(now); wait > 0 {
		return wait, false
	}
	if least := now.Add(-turnLag); l.turn.Before(least) {
		l.turn = least
	}
	rate := l.rule.Rate
	nodes := max(l.traffic.living.Load(), 1)
	l.turn = l.turn.Add(time.Duration(float64(rate.Per) / float64(rate.N) * float64(copies) * float64(nodes)))
	return 0, true
}

// errRate is a destination whose rate leaves no turn in time.
var errRate = errors.New("the rate set for the destination leaves no room now")

// nap is how long a batch waits for its turn before it is looked at again.
const nap = time.Second

// inTurn says whether it is a batch's turn at its destination. If not, it has waited for a while and is
// put back: when it is taken again, what is held or dropped and who has left meanwhile are seen. What
// waits long gives its connection up, which the server would not keep.
func (w *worker) inTurn(b *batch) bool {
	if limit := b.lane.batch(); len(b.who) > limit { // who does not go along waits for a turn of their own
		b.cut(limit)
	}
	for began := time.Now(); ; {
		wait, ok := b.lane.book(len(b.who))
		if ok {
			return true
		}
		if w.lane.mixed && time.Since(began)+wait > w.t.pace.slot { // which may not wait long for any one of them
			w.unreachable(b, errRate)
			return false
		}
		w.saved()
		if wait > w.t.pace.idle {
			w.close()
		}
		err := sleep(w.t.soft, min(wait, nap))
		if err == nil && w.lane.mixed && !b.run.stopped() {
			continue
		}
		w.back(nil, b)
		b.run.checked = min(b.run.checked, b.run.next) // who left is asked again
		return false
	}
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
