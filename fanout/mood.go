package fanout

import (
	"fmt"
	"slices"
	"time"

	"muster/smtp"
)

// How a lane takes what its destination says: the window widens with success, and trouble leaves the
// destination alone for a while.

// succeeded widens the window by one for each text that was taken, up to the limit (slow start:
// doubling with each round), and ends what trouble there was.
func (l *lane) succeeded() {
	l.mu.Lock()
	had := l.failures
	l.failures, l.slow, l.well, l.imposed = 0, 0, time.Now(), false
	grown := l.window < l.most() && !time.Now().Before(l.steady)
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
		l.trouble(reply)
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
func (l *lane) trouble(why error) { l.troubleFor(why, 0) }

// troubleFor is trouble with a server that has said for how long it does not want to be asked.
func (l *lane) troubleFor(why error, least time.Duration) {
	reason := why.Error()
	l.mu.Lock()
	if l.blockedLocked() { // known already, from another connection
		l.mu.Unlock()
		return
	}
	l.failures++
	l.slow, l.window, l.why = 0, 1, why
	l.last = lastWord{text: reason, at: time.Now()}
	failures, wait := l.failures, max(l.traffic.pace.block(l.failures), least)
	l.until, l.saved, l.told, l.imposed = time.Now().Add(wait), time.Time{}, time.Time{}, false
	l.announce() // who waits for a slot need not
	l.mu.Unlock()
	l.traffic.log.Warn("destination left alone", "destination", l.name, "for", wait.Round(time.Second), "failures", failures, "reason", reason)
	l.traffic.saveBlock(l, failures, wait, reason)
	l.sendBack()
}

// leftAlone is errBlocked, and why.
func (l *lane) leftAlone() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		return errBlocked
	}
	return fmt.Errorf("%w: %w", errBlocked, l.why)
}

// inherit takes over what other nodes, or this one before it started, found out of a row's destination:
// after failures it is tried with one connection. False: they are out of date, for something was delivered
// here since the destination was left alone.
func (l *lane) inherit(d *readyDest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Failures <= l.failures {
		return true
	}
	if l.failures == 0 && !l.well.IsZero() && time.Since(l.well) < d.Ended {
		return false
	}
	l.failures, l.window = d.Failures, 1
	return true
}

// lift ends a block that is not stored any more for a row that it was stored for, as was asked at a
// moment after it had been: somebody wants the destination tried again, or another node found that it
// answers.
func (l *lane) lift(dest int64, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blockedLocked() && !l.saved.IsZero() && l.saved.Before(asked) && slices.Contains(l.savedTo, dest) {
		l.until = time.Time{}
	}
}
