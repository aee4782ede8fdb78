package fanout

import (
	"context"
	"errors"
	"slices"

	"muster/smtp/smtpclient"
)

// lesson is what connections to a server have taught. It is forgotten when the servers are looked up
// again, so that what was mended is found.
type lesson struct {
	silent bool // no connection could be made in time, or none to a relay that can be used: the others come first
	plain  bool // STARTTLS is offered and fails, which costs a connection each time
}

// ranked is hops as they are to be tried now: those that could not be connected to come last. Where
// one family of addresses leads nowhere from here, only the first connection waits to find out.
func (l *lane) ranked(hops []hop) []hop {
	hops = byWeight(hops)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lessons) == 0 {
		return hops
	}
	ranked := slices.Clone(hops)
	for i, h := range ranked {
		if l.lessons[h.addr].plain && h.tls == smtpclient.TLSOpportunistic && h.auth == nil {
			ranked[i].tls = smtpclient.TLSNone
		}
	}
	slices.SortStableFunc(ranked, func(a, b hop) int {
		switch silentA, silentB := l.lessons[a.addr].silent, l.lessons[b.addr].silent; {
		case silentA == silentB:
			return 0
		case silentA:
			return 1
		}
		return -1
	})
	return ranked
}

// learn notes how a connection to a hop went, and whether it is in plain text for want of a TLS that works.
func (l *lane) learn(h hop, plain bool, err error) {
	var failed *smtpclient.Error
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.lessons[h.addr]
	now := was
	switch {
	case err == nil:
		now.silent = false
		now.plain = was.plain || plain
	case errors.As(err, &failed) && (failed.Stage == smtpclient.StageConnect || h.weight > 0 && beforeMail(failed.Stage)):
		now.silent = true // of several relays, also one that does not want us now
	case errors.Is(err, context.DeadlineExceeded): // it took all the time there was for a connection
		now.silent = true
	}
	if now == was {
		return
	}
	if l.lessons == nil {
		l.lessons = map[string]lesson{}
	}
	l.lessons[h.addr] = now
}

// unlearn forgets all lessons.
func (l *lane) unlearn() {
	l.mu.Lock()
	l.lessons = nil
	l.mu.Unlock()
}
