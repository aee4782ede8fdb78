package fanout

import (
	"context"
	"errors"
	"time"

	"muster/smtp"
	"muster/smtp/smtpclient"
)

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
			l.trouble(err)
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
