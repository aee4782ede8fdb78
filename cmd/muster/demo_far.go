package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// farEnd is a mail server that stands for all the others in the world: the demo's outgoing mail
// ends here, and can be looked at.
type farEnd struct {
	server   *smtpserver.Server
	listener net.Listener
	served   chan error

	mu      sync.Mutex
	arrived []arrival
	news    chan struct{} // closed and replaced when something arrives
}

// arrival is a message as it came to one recipient.
type arrival struct {
	from, to string
	message  []byte
}

// newFarEnd listens on a free port of the loopback. Its mail is taken by backend, by itself for nil.
func newFarEnd(log *slog.Logger, backend smtpserver.Backend) (*farEnd, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &farEnd{listener: l, served: make(chan error, 1), news: make(chan struct{})}
	if backend == nil {
		backend = f
	}
	f.server = &smtpserver.Server{Hostname: "far-end.example", Backend: backend, Log: log}
	return f, nil
}

// start serves until stop.
func (f *farEnd) start() {
	go func() { f.served <- f.server.Serve(f.listener) }()
}

// URL is how a relay is configured that leads here.
func (f *farEnd) URL() string { return "smtp://" + f.listener.Addr().String() }

// stop waits until nobody is being served any more.
func (f *farEnd) stop(ctx context.Context) error {
	err := f.server.Shutdown(ctx)
	if served := <-f.served; !errors.Is(served, smtpserver.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// until waits for enough, which is asked again whenever something arrived, or for ctx to end.
func (f *farEnd) until(ctx context.Context, enough func(all []arrival) bool) bool {
	for {
		f.mu.Lock()
		all, news := f.arrived, f.news
		f.mu.Unlock()
		if enough(all) {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

// count is how many copies have arrived.
func (f *farEnd) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.arrived)
}

func (f *farEnd) add(arrivals []arrival) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrived = append(f.arrived, arrivals...)
	close(f.news)
	f.news = make(chan struct{})
}

// NewSession is smtpserver.Backend.
func (f *farEnd) NewSession(context.Context, *smtpserver.Client) (smtpserver.Session, error) {
	return &farSession{far: f}, nil
}

// farSession takes everything for everybody.
type farSession struct {
	far  *farEnd
	from smtp.Address
	to   []smtp.Address
}

func (s *farSession) Mail(_ context.Context, from smtp.Address, _ smtpserver.MailParams) error {
	s.from = from
	return nil
}

func (s *farSession) Rcpt(_ context.Context, to smtp.Address, _ smtpserver.RcptParams) error {
	s.to = append(s.to, to)
	return nil
}

func (s *farSession) Data(_ context.Context, m *smtpserver.Message) error {
	r := m.Open()
	defer r.Close()
	var message bytes.Buffer
	if _, err := io.Copy(&message, r); err != nil {
		return err
	}
	var arrivals []arrival
	for _, to := range s.to {
		arrivals = append(arrivals, arrival{s.from.String(), to.String(), message.Bytes()})
	}
	s.far.add(arrivals)
	return nil
}

func (s *farSession) Reset() { s.from, s.to = smtp.Address{}, nil }

func (s *farSession) Close() {}
