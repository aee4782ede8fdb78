package smtpserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"muster/smtp"
	"muster/smtp/smtpserver"
)

// dialFrom connects from another address of loopback.
func dialFrom(t *testing.T, from, addr string) *talk {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return newTalk(t, conn)
}

// TestConnectionLimits: a stranger's surplus connections get 421, another address is served, and
// when all is taken it gets 421 too; when somebody leaves there is room again (S19).
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	server, _ := newServer()
	server.Trusted = nil
	server.Limits = smtpserver.Limits{Sessions: 5, SessionsPerClient: 3}
	addr := start(t, server)
	for range 3 {
		dialFrom(t, "127.0.0.2", addr).hear("220")
	}
	for range 3 {
		c := dialFrom(t, "127.0.0.2", addr)
		c.hear("421 lists.example Too many connections from you")
		c.hearClose()
	}
	dialFrom(t, "127.0.0.3", addr).hear("220")
	leaving := dialFrom(t, "127.0.0.4", addr)
	leaving.hear("220")
	dialFrom(t, "127.0.0.5", addr).hear("421 lists.example Too many connections;")
	leaving.ask("QUIT", "221")
	leaving.hearClose()
	retry(t, func() bool {
		c := dialFrom(t, "127.0.0.5", addr)
		line, _ := c.in.ReadString('\n')
		return strings.HasPrefix(line, "220")
	})
}

// retry waits for what happens soon, but not at once.
func retry(t *testing.T, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen")
}

// TestTrustedConnections: the limits on connections are for strangers.
func TestTrustedConnections(t *testing.T) {
	t.Parallel()
	server, _ := newServer()
	server.Limits = smtpserver.Limits{Sessions: 2, SessionsPerClient: 1}
	addr := start(t, server)
	for range 5 {
		newTalk(t, dial(t, addr)).hear("220")
	}
}

// TestUnixSocket: who may open the socket is trusted.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	server.Trusted, server.LMTP = func(a netip.Addr) bool { return !a.IsValid() }, true
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "lmtp"))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server, l)
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newTalk(t, conn)
	c.hear("220")
	c.ask("EXPN one", "250 <only@one.example>")
	if client := m.clients[0]; !client.Trusted || client.Addr.IsValid() || !client.LMTP {
		t.Errorf("got %+v", client)
	}
}

// TestTLSListener: a listener that speaks TLS from the first octet (RFC 8314 §3).
func TestTLSListener(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := serverTLS(t)
	server.TLS = config
	serve(t, server, tls.NewListener(l, config))
	newTalk(t, dial(t, l.Addr().String())).say("EHLO not.tls.example\r\n")
	c := newTalk(t, tls.Client(dial(t, l.Addr().String()), clientTLS()))
	c.say("")
	c.hear("220")
	c.ask("STARTTLS", "503")
	c.ask("EHLO client.example", "250")
	c.ask("AUTH PLAIN AGFubkBhLmV4YW1wbGUAczNjcmV0", "235")
	c.ask("QUIT", "221")
	if client := m.clients[0]; !client.TLS || client.User != "ann@a.example" || client.Hello != "client.example" || !client.Extended {
		t.Errorf("got %+v", client)
	}
}

// TestTrustedAuthIsNotShared: what one user of a trusted relay types wrong delays no other.
func TestTrustedAuthIsNotShared(t *testing.T) {
	t.Parallel()
	server, _ := newServer()
	server.AllowPlainAuth, server.Limits.AuthDelay = true, 1
	addr := start(t, server)
	began := time.Now()
	for range 5 {
		c := newTalk(t, dial(t, addr))
		c.hear("220")
		c.ask("EHLO client.example", "250")
		c.ask("AUTH PLAIN AGFubkBhLmV4YW1wbGUAeA==", "535")
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("five users waited %v", d)
	}
}

// turnstile is a backend that lets nobody in.
type turnstile struct{ err error }

func (b turnstile) NewSession(context.Context, *smtpserver.Client) (smtpserver.Session, error) {
	return nil, b.err
}

func TestTurnedAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{smtp.NewReply(554, smtp.StatusDenied, "Not for you"), "554 Not for you"},
		{smtp.NewReply(450, smtp.StatusDenied, "Odd"), "421 lists.example Not available now"},
		{errors.New("secret"), "421 lists.example Not available now"},
	} {
		c := newTalk(t, listen(t, &smtpserver.Server{Hostname: "lists.example", Backend: turnstile{tt.err}}))
		c.hear(tt.want)
		c.hearClose()
	}
}

// TestShutdown: idle sessions are told 421, the message in flight is finished first, and nobody
// gets in.
func TestShutdown(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	addr := start(t, server)
	idle, deciding, sending := newTalk(t, dial(t, addr)), newTalk(t, dial(t, addr)), newTalk(t, dial(t, addr))
	idle.hear("220")
	sending.envelope("one@lists.example")
	sending.ask("DATA", "354")
	sending.say("Subject: in flight\r\n")
	deciding.envelope("slow@lists.example")
	deciding.ask("DATA", "354")
	deciding.say("Subject: slow\r\n.\r\n")
	<-m.entered

	done := make(chan error, 1)
	go func() { done <- server.Shutdown(context.Background()) }()
	idle.hear("421 lists.example Shutting down")
	idle.hearClose()
	sending.say(".\r\n")
	sending.hear("250")
	sending.hear("421 4.3.2 lists.example Shutting down")
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(m.release)
	deciding.hear("250")
	deciding.hear("421")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(m.all()); n != 2 {
		t.Errorf("%d messages", n)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("still listening")
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(l); err != smtpserver.ErrServerClosed {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// TestShutdownRunsOut: when the time is over, a message that is still arriving is dropped.
func TestShutdownRunsOut(t *testing.T) {
	t.Parallel()
	server, m := newServer()
	c := newTalk(t, listen(t, server))
	c.envelope("one@lists.example")
	c.ask("DATA", "354")
	c.say("Subject: never ends\r\n")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	c.hearClose()
	if n := len(m.all()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// TestShutdownUnused: a server that never served closes too.
func TestShutdownUnused(t *testing.T) {
	t.Parallel()
	if err := new(smtpserver.Server).Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// failing is a listener that cannot accept for a while.
type failing struct {
	net.Listener
	left, tried atomic.Int32
}

func (l *failing) Accept() (net.Conn, error) {
	l.tried.Add(1)
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// TestAcceptBacksOff: a listener out of file descriptors is tried again, not in a tight loop, and
// serves when they are back.
func TestAcceptBacksOff(t *testing.T) {
	t.Parallel()
	server, _ := newServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: l}
	f.left.Store(5)
	began := time.Now()
	serve(t, server, f)
	newTalk(t, dial(t, l.Addr().String())).hear("220")
	if waited := time.Since(began); waited < 150*time.Millisecond || f.tried.Load() > 8 {
		t.Errorf("%d tries in %v", f.tried.Load(), waited)
	}
}

// TestListenerFails: Serve returns when its listener is closed by somebody else.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	server, _ := newServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}
