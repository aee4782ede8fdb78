package fanout

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

// A destination is a set of mail exchangers, not a domain's name: a thousand domains at one provider
// have one limit of connections, one back-off, and share the connections that are kept. The queue's
// rows stay one a domain, so that planning never waits for the DNS; it is the lane that is the set's.
// Which one a domain leads to is found when its first shard is claimed, by who loads the shard and not
// by the dispatcher, and is remembered as an alias. Where it cannot be found, the domain has a lane of
// its own, which tells what is wrong. Trouble of a lane is saved to each row that it carried, so that
// other nodes leave them alone too.

// alias is where a domain's lane leads.
type alias struct {
	way
	lane  string // name
	rule  *Rule
	found time.Time
}

// maxName bounds a lane's name, which people read in the log; a longer one is cut, and told apart by
// a hash.
const maxName = 120

// setName names a set of exchangers: hosts in order, those that are equal by name. Sets that differ in
// a backup only are two, for their routes are.
func setName(exchangers []MX) string {
	sorted := slices.Clone(exchangers)
	slices.SortFunc(sorted, func(a, b MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(strings.ToLower(a.Host), strings.ToLower(b.Host)))
	})
	name := strings.Builder{}
	name.WriteString("mxset:")
	for i, mx := range sorted {
		switch {
		case i == 0:
		case mx.Preference == sorted[i-1].Preference:
			name.WriteByte('=')
		default:
			name.WriteByte('>')
		}
		name.WriteString(strings.ToLower(mx.Host))
	}
	return shortName(name.String())
}

func shortName(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxName-17] + "#" + hex.EncodeToString(sum[:8])
}

// meetWait is how long whoever has a batch in hand waits to know its destination.
const meetWait = 5 * time.Second

// known is the lane that a domain leads to, nil where that is not known or was found long ago.
func (t *traffic) known(domain string) *lane {
	t.mu.Lock()
	a, ok := t.aliases[domain]
	t.mu.Unlock()
	if !ok || time.Since(a.found) >= t.pace.route {
		return nil
	}
	return t.lane(destDomain(domain), 0)
}

// leads says whether a domain is known to lead to a lane.
func (t *traffic) leads(domain string, l *lane) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, ok := t.aliases[domain]
	return ok && a.lane == l.name && time.Since(a.found) < t.pace.route
}

// moved says whether the domain of a run leads elsewhere now than when it was claimed. Where the DNS does
// not say, it is asked again only after a while.
func (w *worker) moved(r *run) bool {
	if w.lane.exchangers == nil || r.domain == "" || w.t.leads(r.domain, w.lane) || time.Since(r.met) < meetWait {
		return false
	}
	to := w.t.meet(w.t.soft, "", r.domain)
	if !w.t.leads(r.domain, to) {
		r.met = time.Now()
	}
	return to != w.lane && w.t.soft.Err() == nil
}

// nowhere is for a batch whose set of exchangers has no server, as the DNS says. Its domain may have
// moved from there: it bounces only where the DNS says so of the domain itself.
func (w *worker) nowhere(b *batch) {
	domain := domainKey(b.envelope.To[0].Domain)
	w.t.mu.Lock()
	delete(w.t.aliases, domain)
	w.t.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.t.soft, meetWait)
	defer cancel()
	_, err := w.t.router.hops(ctx, domain)
	var final *smtp.Reply
	switch {
	case errors.As(err, &final):
		b.refuseAll(smtpclient.StageRcpt, final)
		w.settle(b, b.refused[0])
	case w.lane.mixed:
		w.postpone(b, errMoved)
	default:
		w.back(nil, b)
		w.stop(b.run)
	}
}

// errMoved is a domain whose servers are others than a moment ago.
var errMoved = errors.New("its mail servers have changed")

// meet finds the lane that mail of a list's domain to a domain leads to: that of its relays or its
// exchangers, or, where they cannot be found now, its own. A domain is looked up by one at a time.
func (t *traffic) meet(ctx context.Context, list, domain string) *lane {
	domain = t.router.goal(domain)
	if g := t.router.relays.of(list, domain); g != nil {
		return t.lane(g.name, 0)
	}
	ctx, cancel := context.WithTimeout(ctx, meetWait)
	defer cancel()
	for !strings.HasPrefix(domain, "[") {
		if l := t.known(domain); l != nil {
			return l
		}
		t.mu.Lock()
		done, busy := t.meeting[domain]
		if !busy {
			done = make(chan struct{})
			t.meeting[domain] = done
		}
		t.mu.Unlock()
		if !busy {
			t.find(ctx, domain)
			t.mu.Lock()
			delete(t.meeting, domain)
			t.mu.Unlock()
			close(done)
			break
		}
		select {
		case <-done:
		case <-ctx.Done():
			return t.lane(destDomain(domain), 0)
		}
	}
	return t.lane(destDomain(domain), 0)
}

// find looks up the exchangers of a domain. A temporary error leaves what was known before.
func (t *traffic) find(ctx context.Context, domain string) {
	w, err := t.router.way(ctx, domain)
	var final *smtp.Reply
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.aliases[domain] = t.alias(domain, w)
	case errors.As(err, &final) || errors.Is(err, errPolicy): // where it led before is no answer
		delete(t.aliases, domain)
	}
}

// alias is the lane for a way. Domains share it that have the same hosts and want the same of them. t.mu
// is held.
func (t *traffic) alias(domain string, w way) alias {
	rule, name := t.rules.ofSet(domain, w.exchangers)
	if rule != nil && rule.TLS == Clear { // what DANE could ask for is not to be
		w.pinned = false
	}
	if w.sts != stsNone { // others with these hosts may have no policy
		name = shortName(name + " under MTA-STS " + string(w.sts))
	}
	if w.pinned { // nor a signed MX
		name = shortName(name + " under DANE")
	}
	// A certificate with the name of one domain is none for the others. That is rare, and learnt when it
	// is met.
	if l := t.lanes[name]; w.pinned && l != nil && l.misnamed {
		l.mu.Lock()
		l.touched = time.Now() // or it would be forgotten, and what was learnt with it
		l.mu.Unlock()
		name = shortName(name + " for " + domain)
	} else {
		w.names = nil
	}
	return alias{w, name, rule, time.Now()}
}

// part has each domain of a lane get one of its own, for its servers' certificates are not for their own
// names, and may be for the domain's.
func (t *traffic) part(l *lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.exchangers == nil || l.names != nil {
		return
	}
	l.misnamed = true
	maps.DeleteFunc(t.aliases, func(_ string, a alias) bool { return a.lane == l.name })
}

// warm sees to a connection for who will soon have mail to a domain, without waiting for anything.
func (t *traffic) warm(list, domain string) {
	domain = t.router.goal(domain)
	if g := t.router.relays.of(list, domain); g != nil {
		t.lane(g.name, 0).warm()
		return
	}
	if l := t.known(domain); l != nil {
		l.warm()
		return
	}
	t.mu.Lock()
	_, busy := t.meeting[domain]
	t.mu.Unlock()
	if !busy && t.soft.Err() == nil {
		t.wg.Go(func() { t.meet(t.soft, list, domain).warm() })
	}
}

// steer moves a claim to the lane its domain leads to. False: that has no room, and the claim goes
// back to the queue. A relay that is for the lists of a domain is not among where it may lead: what is
// for that was planned to go there, unless it was configured since.
func (t *traffic) steer(l *lane, d readyDest) (*lane, bool) {
	if l.domain == "" {
		return l, true
	}
	domain := strings.TrimPrefix(d.Name, destDomain(""))
	to := t.meet(t.soft, "", domain)
	if to == l {
		return l, true
	}
	if !to.admit(d.ID) {
		return l, false
	}
	l.returned()
	return to, true
}

// admit takes in a claim that was made for another lane, if there is room.
func (l *lane) admit(dest int64) bool {
	l.mu.Lock()
	room := !l.blockedLocked() && l.claimed < l.limit()+claimAhead
	if room {
		l.claimed++
		l.touched = time.Now()
	}
	l.mu.Unlock()
	if room {
		l.traffic.mu.Lock()
		l.traffic.carries(l, dest)
		l.traffic.mu.Unlock()
	}
	return room
}

// carries notes the lane that the shards of a row of the queue go through, one for each row: of a
// domain that has moved, what its old servers do is not told any more. t.mu is held.
func (t *traffic) carries(l *lane, dest int64) {
	if dest == 0 || t.rows[dest] == l {
		return
	}
	if before := t.rows[dest]; before != nil {
		before.mu.Lock()
		delete(before.dests, dest)
		before.mu.Unlock()
	}
	t.rows[dest] = l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dests == nil {
		l.dests = map[int64]struct{}{}
	}
	l.dests[dest] = struct{}{}
}

// shared says whether a lane has more rows than one, of which the first may not take all its room.
func (l *lane) shared() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dests) > 1 && !l.blockedLocked()
}
