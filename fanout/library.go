package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"muster/lists"
	"muster/smtp"
)

// poison is an error of a message that no second try can mend.
type poison struct{ error }

func (p poison) Unwrap() error { return p.error }

const (
	// maxInMemory bounds the octets of the messages in memory, those that are sent and those that are
	// kept for who may send them next. A message that has no room there is written to a file.
	maxInMemory = 32 << 20
	// longAt is the size from which a message is always in a file.
	longAt = 1 << 20
	// maxOnDisk bounds the octets of files that are kept although nobody sends them just now.
	maxOnDisk = 256 << 20
)

// library holds the composed messages that are being sent, each once, however many connections
// send it: short ones in memory, long ones in files. So what all of them take in memory is bounded
// however many there are, and none waits for another to have been sent.
type library struct {
	pool  *pgxpool.Pool
	seals func(context.Context) (Sealer, error)
	keys  KeysFunc
	mail  MailFunc
	site  site
	dir   string       // of files
	to    smtp.Address // gets all copies, if there is one

	percent int64 // of copies that may be refused; 0: all
	stopper stopper
	log     *slog.Logger

	mu    sync.Mutex
	shelf map[int64]*volume
}

// volume is the message of one fan-out. ready is closed when m or err is there.
type volume struct {
	ready   chan struct{}
	m       *message
	err     error // also of a file that could not be read later
	readers int
	used    time.Time
	memory  int64 // octets
	disk    int64
}

func newLibrary(pool *pgxpool.Pool, cfg *Config) *library {
	return &library{
		pool: pool, seals: cfg.Seals, keys: cfg.Keys, mail: cfg.Mail,
		site:    site{hostname: cfg.Hostname, base: cfg.BaseURL, authserv: cmp.Or(cfg.AuthservID, cfg.Hostname)},
		dir:     cfg.SpoolDir,
		log:     cfg.Log,
		to:      cfg.RedirectTo,
		percent: int64(cfg.MaxRefused),
		stopper: stopper{pool: pool, log: cfg.Log, tell: cfg.Stopped, wait: 2 * cfg.pace.sweep},
		shelf:   map[int64]*volume{},
	}
}

// composeNotice puts a notice into a list's own words, or where these fail, into ours: a text that somebody
// wrote must not keep a mail from whom it is for.
func (l *library) composeNotice(ctx context.Context, src *source) (*message, error) {
	m, err := composeNotice(src, l.mail, l.site)
	if err == nil || src.notice.source == "" {
		return m, err
	}
	l.log.WarnContext(ctx, "a text in the place of ours cannot be mailed, ours is; see muster template check",
		"kind", src.notice.kind, "language", src.notice.language, "error", err)
	src.notice.source = ""
	return composeNotice(src, l.mail, l.site)
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
		m, err := l.compose(ctx, fanout)
		if m != nil {
			m.redirect, m.verdicts.percent = l.to, l.percent
		}
		l.mu.Lock()
		v.fill(m, err)
		l.mu.Unlock()
		close(v.ready)
	}
	<-v.ready
	l.mu.Lock()
	err := v.err
	l.mu.Unlock()
	if err != nil {
		l.giveBack(fanout)
		return nil, err
	}
	return v.m, nil
}

func (v *volume) fill(m *message, err error) {
	v.m, v.err, v.memory = m, err, 0
	if m == nil {
		return
	}
	v.memory = m.memory()
	if m.long != nil {
		v.disk = m.long.size
	}
}

// giveBack says whether nobody reads the message any more.
func (l *library) giveBack(fanout int64) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.shelf[fanout]
	v.readers--
	v.used = time.Now()
	if v.err != nil && v.readers == 0 {
		l.remove(fanout)
	}
	l.tidy()
	return v.readers == 0
}

// spoil is told of a message whose file cannot be read. Once all have given it back it is composed
// again.
func (l *library) spoil(fanout int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.shelf[fanout]; v != nil && v.readers > 0 {
		v.err = err
	}
}

// fits says whether a message of some octets has room in memory, and takes it for the volume of its
// fan-out.
func (l *library) fits(fanout, size int64) bool {
	if size > longAt {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.shelf[fanout]
	v.memory = size
	if l.tidy() <= maxInMemory {
		return true
	}
	v.memory = 0
	return false
}

// tidy takes out what was not used for longest, until the rest is small enough, and returns what that
// takes in memory.
func (l *library) tidy() (memory int64) {
	for {
		memory = 0
		var disk int64
		for _, v := range l.shelf {
			memory += v.memory
			if v.m != nil {
				memory += v.m.narrow.size()
			}
			if v.readers == 0 {
				disk += v.disk
			}
		}
		found := memory > maxInMemory && l.removeOldest(func(v *volume) bool { return v.memory >= v.disk }) ||
			disk > maxOnDisk && l.removeOldest(func(v *volume) bool { return v.disk > 0 }) ||
			len(l.shelf) > maxVolumes && l.removeOldest(func(*volume) bool { return true })
		if !found {
			return memory
		}
	}
}

// maxVolumes bounds the messages on the shelf, so that a look through it stays short.
const maxVolumes = 64

// removeOldest removes, of the volumes that would help and nobody reads, the one that was not used
// for longest.
func (l *library) removeOldest(helps func(*volume) bool) bool {
	var oldest *volume
	var fanout int64
	for id, v := range l.shelf {
		if v.readers == 0 && helps(v) && (oldest == nil || v.used.Before(oldest.used)) {
			oldest, fanout = v, id
		}
	}
	if oldest != nil {
		l.remove(fanout)
	}
	return oldest != nil
}

func (l *library) remove(fanout int64) {
	if m := l.shelf[fanout].m; m != nil {
		m.close()
	}
	delete(l.shelf, fanout)
}

// close removes all files, when nobody sends any more.
func (l *library) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for fanout := range l.shelf {
		l.remove(fanout)
	}
}

// compose makes the message of a fan-out. A panic over a strange message is a poison like any
// other.
func (l *library) compose(ctx context.Context, fanout int64) (m *message, err error) {
	src, err := selectSource(ctx, l.pool, fanout)
	if err != nil {
		return nil, err
	}
	src.authserv = l.site.authserv
	if !l.to.IsZero() { // who gets all copies is not who reports would be about
		src.tracking = lists.TrackOff
	}
	if src.kind == "notice" {
		if src.notice.source, err = selectTemplate(ctx, l.pool, src); err != nil {
			return nil, err
		}
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
	long := &scribe{src: src, seals: seals, base: l.site.base, keys: keys, dir: l.dir, host: l.hostOf(src)}
	switch {
	case src.kind == "notice" && src.notice.kind == lists.NoticePostForwarded:
		return composeForwarded(ctx, l.pool, long, l)
	case src.kind == "notice":
		m, err = l.composeNotice(ctx, src)
	case l.fits(fanout, src.size):
		if src.raw, err = selectRaw(ctx, l.pool, src.post, src.size); err != nil {
			return nil, err
		}
		m, err = compose(src, seals, l.site.base)
	default:
		return composeLong(ctx, l.pool, long)
	}
	if err == nil {
		m.host = l.hostOf(src)
		m.mayNarrow(keys, src.signedAt(), l.dir)
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
