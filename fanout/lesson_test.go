package fanout

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/smtp/smtpclient"
)

// An address that cannot be connected to is tried last from then on, until the servers are looked
// up again.
func TestSilentAddressesAreTriedLast(t *testing.T) {
	t.Parallel()
	good := newSink(t).serve()
	var tried []string
	tr := &traffic{soft: t.Context(), hard: t.Context(), pace: pace{}.withDefaults()}
	tr.options.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		tried = append(tried, addr)
		if addr != "192.0.2.1:25" {
			return nil, errors.New("no route to host")
		}
		return new(net.Dialer).DialContext(ctx, network, good.addr())
	}
	names := fakeDNS{addrs: map[string][]netip.Addr{"x.example": append(addrs("2001:db8::1"), addrs("192.0.2.1")...)}}
	tr.router = &router{resolver: names}
	l := &lane{traffic: tr, domain: "x.example", freed: make(chan struct{})}
	for range 2 {
		k, err := tr.open(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		k.abort()
	}
	if want := []string{"[2001:db8::1]:25", "192.0.2.1:25", "192.0.2.1:25"}; !slices.Equal(tried, want) {
		t.Errorf("%v, want %v", tried, want)
	}
	l.unlearn()
	if hops, err := l.hops(t.Context()); err != nil || l.ranked(hops)[0].addr != "[2001:db8::1]:25" {
		t.Errorf("%v, %v", hops, err)
	}
}

// brokenTLS offers STARTTLS and hangs up on the handshake. It counts how often it was asked.
func brokenTLS(t *testing.T, asked *atomic.Int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.WriteString(c, "220 far.example\r\n")
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if lines.Text() == "STARTTLS" {
						asked.Add(1)
						_, _ = io.WriteString(c, "220 go on\r\n")
						return
					}
					_, _ = io.WriteString(c, "250-far.example\r\n250 STARTTLS\r\n")
				}
			})
		}
	})
	return listener.Addr().String()
}

func TestTLSThatFailsIsAskedForOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	tr := &traffic{
		soft: t.Context(), hard: t.Context(), pace: pace{}.withDefaults(),
		router: &router{relays: newRelayGroups([]Relay{{Addr: brokenTLS(t, &asked)}})},
	}
	l := &lane{traffic: tr, relays: tr.router.relays.named(destRelay), freed: make(chan struct{})}
	for range 3 {
		k, err := tr.open(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		k.abort()
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked for STARTTLS %d times", n)
	}
}

// TLS that fails is left out the next time, but never where a password or a certificate depends on it.
func TestFailingTLSIsRemembered(t *testing.T) {
	t.Parallel()
	l := &lane{lessons: map[string]lesson{"a:25": {plain: true}}}
	hops := []hop{{addr: "a:25"}, {addr: "b:25"}, {addr: "a:25", auth: &smtpclient.Auth{}}, {addr: "a:25", tls: smtpclient.TLSRequired}}
	want := []smtpclient.TLSPolicy{smtpclient.TLSNone, smtpclient.TLSOpportunistic, smtpclient.TLSOpportunistic, smtpclient.TLSRequired}
	for i, h := range l.ranked(hops) {
		if h.tls != want[i] {
			t.Errorf("hop %d: policy %d, want %d", i, h.tls, want[i])
		}
	}
}

// pipes dials servers in the bubble of a test: each of a kind, by address.
type pipes struct {
	tried []string
	kinds map[string]string // "": a host that does not answer; else the greeting; "mute": it says nothing
}

func (p *pipes) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	p.tried = append(p.tried, addr)
	greeting := p.kinds[addr]
	if greeting == "" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if greeting == "refused" {
		return nil, errors.New("connection refused")
	}
	far, near := net.Pipe()
	go func() {
		defer far.Close()
		if greeting == "mute" {
			_, _ = io.Copy(io.Discard, far)
			return
		}
		_, _ = io.WriteString(far, greeting+"\r\n")
		for lines := bufio.NewScanner(far); lines.Scan(); {
			_, _ = io.WriteString(far, "250 far.example\r\n")
		}
	}()
	return near, nil
}

// twoHops is a lane whose domain has the servers 192.0.2.1 and 192.0.2.2.
func (p *pipes) twoHops(ctx context.Context) *lane {
	tr := &traffic{soft: ctx, hard: ctx, pace: pace{}.withDefaults()}
	tr.options.DialContext = p.dial
	names := fakeDNS{addrs: map[string][]netip.Addr{"x.example": append(addrs("192.0.2.1"), addrs("192.0.2.2")...)}}
	tr.router = &router{resolver: names}
	return &lane{traffic: tr, domain: "x.example", freed: make(chan struct{})}
}

const first, second = "192.0.2.1:25", "192.0.2.2:25"

// Who has a bounded time for a connection does not spend it all at a first server that is silent.
func TestSilentServerLeavesTimeForTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{kinds: map[string]string{second: "220 far.example"}}
		l := p.twoHops(t.Context())
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), l.traffic.pace.slot)
			k, err := l.traffic.open(ctx, l)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			k.abort()
		}
		if want := []string{first, second, second}; !slices.Equal(p.tried, want) {
			t.Errorf("%v, want %v", p.tried, want)
		}
	})
}

// A server that takes a connection and says nothing has all the time there is, for a greeting may be
// slow; but the next time the other is first. The error is that of the server that was tried.
func TestServerThatDoesNotGreetIsTriedLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{kinds: map[string]string{first: "mute", second: "220 far.example"}}
		l := p.twoHops(t.Context())
		open := func() (*link, error) {
			ctx, cancel := context.WithTimeout(t.Context(), l.traffic.pace.slot)
			defer cancel()
			return l.traffic.open(ctx, l)
		}
		_, err := open()
		var failed *smtpclient.Error
		if !errors.As(err, &failed) || failed.Host != first || failed.Stage != smtpclient.StageGreeting {
			t.Errorf("%v", err)
		}
		k, err := open()
		if err != nil {
			t.Fatal(err)
		}
		k.abort()
		if want := []string{first, second}; !slices.Equal(p.tried, want) {
			t.Errorf("%v, want %v", p.tried, want)
		}
	})
}

// What a connection comes to that is given up because the process ends says nothing of its server.
func TestEndOfTheProcessTeachesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		soft, end := context.WithCancel(t.Context())
		p := &pipes{kinds: map[string]string{first: "mute", second: "220 far.example"}}
		l := p.twoHops(soft)
		time.AfterFunc(time.Second, end)
		if _, err := l.traffic.open(soft, l); err == nil {
			t.Error("connected")
		}
		if len(l.lessons) != 0 || len(p.tried) != 1 {
			t.Errorf("%v of %v", l.lessons, p.tried)
		}
	})
}

// Of several servers that cannot be used the one that said something tells why: that one is busy is not
// that none is there.
func TestWordsCountMoreThanSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{kinds: map[string]string{first: "421 4.7.0 too many connections", second: "refused"}}
		l := p.twoHops(t.Context())
		_, err := l.traffic.open(t.Context(), l)
		var failed *smtpclient.Error
		if !errors.As(err, &failed) || failed.Reply == nil || failed.Host != first {
			t.Errorf("%v", err)
		}
		if want := []string{first, second}; !slices.Equal(p.tried, want) {
			t.Errorf("%v, want %v", p.tried, want)
		}
	})
}
