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

// keep puts a connection by for whoever comes next. At the end nobody does.
func (l *lane) keep(k *link) {
	l.mu.Lock()
	ended := l.traffic.soft.Err() != nil // and closeIdle may have been here
	if !ended {
		k.kept = time.Now()
		l.idle = append(l.idle, k)
		l.announce()
	}
	l.mu.Unlock()
	if ended {
		k.close()
	}
}

// closeIdle ends the connections that nobody has used for some time. It does not wait for that: their
// servers may be slow to say goodbye. l.mu is held.
func (l *lane) closeIdle(unused time.Duration) {
	kept := l.idle[:0]
	for _, k := range l.idle {
		if time.Since(k.kept) < unused {
			kept = append(kept, k)
			continue
		}
		l.traffic.wg.Go(k.close)
	}
	clear(l.idle[len(kept):])
	l.idle = kept
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
