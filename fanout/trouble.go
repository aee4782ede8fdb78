package fanout

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// Nodes tell each other of trouble twice. At the rows of destinations it keeps shards of one destination from
// being claimed. By the name of the lane it reaches also who meets the destination among many in a mixed
// shard, for which there is no row.

const (
	// troubleAge is how long trouble is told of after its end, so that who comes then begins with one connection.
	troubleAge = 15 * time.Minute
	// maxTroubles bounds what a node listens to, those that last longest first.
	maxTroubles = 2000
)

// saveBlock tells the other nodes of a destination's trouble, or of its end.
func (t *traffic) saveBlock(l *lane, failures int, wait time.Duration, reason string) {
	l.mu.Lock()
	dests := slices.Sorted(maps.Keys(l.dests))
	l.mu.Unlock()
	reason = clean(reason)
	var err error
	if failures == 0 {
		err = endTrouble(t.hard, t.pool, l.name)
	} else {
		err = saveTrouble(t.hard, t.pool, l.name, dests, &troubleRow{Failures: failures, Left: wait, Reply: reason})
	}
	if len(dests) > 0 {
		err = errors.Join(err, saveBlock(t.hard, t.pool, dests, failures, wait, reason))
	}
	if err != nil {
		if t.hard.Err() == nil {
			t.log.Warn("state of a destination not saved", "destination", l.name, "error", err)
		}
		return
	}
	l.mu.Lock()
	l.told = time.Now()
	if len(dests) > 0 {
		l.saved, l.savedTo = l.told, dests
	}
	l.mu.Unlock()
}

// listenForTrouble takes over what other nodes tell.
func (t *traffic) listenForTrouble() {
	asked := time.Now()
	found, err := selectTroubles(t.soft, t.pool, maxTroubles)
	if err != nil {
		if t.soft.Err() == nil {
			t.log.Error("listening for destinations in trouble", "error", err)
		}
		return
	}
	known := make(map[string]*troubleRow, len(found))
	for i := range found {
		known[found[i].Lane] = &found[i]
	}
	t.mu.Lock()
	t.troubles, t.listened = known, asked
	lanes := slices.Collect(maps.Values(t.lanes))
	t.mu.Unlock()
	for _, l := range lanes {
		row := known[l.name]
		if l.mixed || row == nil && len(found) == maxTroubles { // it may be told of, for all that was read
			continue
		}
		if l.hearOf(row, asked) {
			l.sendBack()
		}
	}
}

// hearOf takes over what was told of the lane when it was asked, nil for nothing, and says whether it is left
// alone for that now.
func (l *lane) hearOf(row *troubleRow, asked time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case row == nil:
		// Another node found that it answers, or somebody wants it tried again.
		if l.imposed || !l.told.IsZero() && l.told.Before(asked) {
			l.until, l.told = time.Time{}, time.Time{}
		}
		if l.imposed {
			l.failures, l.imposed = 0, false
		}
	case row.Failures <= l.failures:
	case !l.well.IsZero() && asked.Sub(l.well) < row.Age: // something was delivered here since
	default:
		l.failures, l.window, l.imposed = row.Failures, 1, true
		l.why = errors.New(row.Reply)
		if row.Left > 0 && !l.blockedLocked() {
			l.until = asked.Add(row.Left)
			l.announce()
			return true
		}
	}
	return false
}
