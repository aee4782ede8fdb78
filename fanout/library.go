package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// poison is an error of a message that no second try can mend.
type poison struct{ error }

func (p poison) Unwrap() error { return p.error }

// maxShelf bounds the octets of messages that are kept although nobody sends them just now.
const maxShelf = 32 << 20

// library holds the composed messages that are being sent, each once, however many connections
// send it.
type library struct {
	pool  *pgxpool.Pool
	seals func(context.Context) (Sealer, error)
	keys  KeysFunc
	mail  MailFunc
	site  site

	mu    sync.Mutex
	shelf map[int64]*volume
}

// volume is the message of one fan-out. ready is closed when m or err is there.
type volume struct {
	ready   chan struct{}
	m       *message
	err     error
	readers int
	used    time.Time
}

func newLibrary(pool *pgxpool.Pool, cfg *Config) *library {
	return &library{
		pool: pool, seals: cfg.Seals, keys: cfg.Keys, mail: cfg.Mail,
		site:  site{hostname: cfg.Hostname, base: cfg.BaseURL},
		shelf: map[int64]*volume{},
	}
}

// borrow returns the message of a fan-out, composed by the first who asks. An error that is a
// poison will come again. What was borrowed is given back.
func (l *library) borrow(ctx context.Context, fanout int64) (*message, error) {
	l.mu.Lock()
	v := l.shelf[fanout]
	first := v == nil
	if first {
		v = &volume{ready: make(chan struct{})}
		l.shelf[fanout] = v
	}
	v.readers++
	l.mu.Unlock()
	if first {
		v.m, v.err = l.compose(ctx, fanout)
		close(v.ready)
	}
	<-v.ready
	if v.err != nil {
		l.giveBack(fanout)
		return nil, v.err
	}
	return v.m, nil
}

func (l *library) giveBack(fanout int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.shelf[fanout]
	v.readers--
	v.used = time.Now()
	if v.err != nil && v.readers == 0 {
		delete(l.shelf, fanout)
	}
	l.tidy()
}

// tidy takes out what was not used for longest, until the rest is small enough.
func (l *library) tidy() {
	for {
		var total int64
		var oldest int64
		for id, v := range l.shelf {
			if v.readers > 0 {
				continue
			}
			total += v.m.size
			if oldest == 0 || v.used.Before(l.shelf[oldest].used) {
				oldest = id
			}
		}
		if oldest == 0 || total <= maxShelf && len(l.shelf) <= maxVolumes {
			return
		}
		delete(l.shelf, oldest)
	}
}

// maxVolumes bounds the messages on the shelf, so that a look through it stays short.
const maxVolumes = 64

// compose makes the message of a fan-out. A panic over a strange message is a poison like any
// other.
func (l *library) compose(ctx context.Context, fanout int64) (m *message, err error) {
	src, err := selectSource(ctx, l.pool, fanout)
	if err != nil {
		return nil, err
	}
	seals, err := l.seals(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := l.signers(ctx, src)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, poison{fmt.Errorf("composing: %v", r)}
		}
	}()
	if src.kind == "notice" {
		m, err = composeNotice(src, l.mail, l.site)
	} else {
		m, err = compose(src, seals, l.site.base)
	}
	if err == nil {
		err = m.sign(keys, src.signedAt())
	}
	if err != nil {
		return nil, poison{err}
	}
	return m, nil
}

func isPoison(err error) bool {
	var p poison
	return errors.As(err, &p)
}
