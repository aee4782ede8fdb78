package smtpserver_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/smtp/smtpserver"
)

// pipes is a listener whose connections live within a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(t *testing.T) *talk {
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	p.conns <- server
	return newTalk(t, client)
}

// bubble runs a test in which time passes when everybody waits.
func bubble(t *testing.T, limits smtpserver.Limits, test func(*testing.T, *memory, *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, m := newServer()
		server.Trusted, server.Limits, server.AllowPlainAuth = nil, limits, true
		l := newPipes()
		serve(t, server, l)
		test(t, m, l)
	})
}

// trickle sends text again and again until the connection ends.
func trickle(t *testing.T, c *talk, text string, every time.Duration) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			if _, err := c.conn.Write([]byte(text)); err != nil {
				return
			}
			time.Sleep(every)
		}
	}()
	t.Cleanup(func() {
		c.conn.Close()
		<-stopped
	})
}

// TestSlowCommand: one octet every five seconds does not hold a session for ever (S17).
func TestSlowCommand(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{}, func(t *testing.T, _ *memory, l *pipes) {
		slow, other := l.dial(t), l.dial(t)
		slow.hear("220")
		began := time.Now()
		trickle(t, slow, "N", 5*time.Second)
		time.Sleep(time.Minute)
		other.hear("220")
		at := time.Now()
		other.ask("NOOP", "250")
		if time.Since(at) > time.Second {
			t.Error("others wait too")
		}
		slow.hear("421 lists.example Too slow")
		slow.hearClose()
		if d := time.Since(began); d < 5*time.Minute-time.Second || d > 5*time.Minute+time.Second {
			t.Errorf("cut after %v", d)
		}
	})
}

// TestSlowCommandUnderLoad: while most sessions are taken, the slow have ten seconds, also those who
// were waiting when it came to that.
func TestSlowCommandUnderLoad(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{Sessions: 5}, func(t *testing.T, _ *memory, l *pipes) {
		var all []*talk
		for range 3 {
			c := l.dial(t)
			c.hear("220")
			all = append(all, c)
		}
		time.Sleep(time.Minute)
		began := time.Now()
		fourth := l.dial(t)
		fourth.hear("220")
		for _, c := range append(all, fourth) {
			c.hear("421 lists.example Too slow")
		}
		if d := time.Since(began); d > 11*time.Second {
			t.Errorf("cut after %v", d)
		}
	})
}

// TestSlowData: one octet a second is not a message (S18).
func TestSlowData(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{}, func(t *testing.T, m *memory, l *pipes) {
		c := l.dial(t)
		c.envelope("one@lists.example")
		c.ask("DATA", "354")
		began := time.Now()
		trickle(t, c, "x", time.Second)
		c.hear("421 4.4.2 lists.example Too slow")
		c.hearClose()
		if d := time.Since(began); d > 5*time.Minute || d < 3*time.Minute {
			t.Errorf("cut after %v", d)
		}
		if len(m.all()) > 0 {
			t.Error("something was kept")
		}
	})
}

// TestSteadyData: a slow line that keeps to the least rate gets its message through, also when
// that takes longer than a command may.
func TestSteadyData(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{}, func(t *testing.T, m *memory, l *pipes) {
		c := l.dial(t)
		c.envelope("one@lists.example")
		c.ask("DATA", "354")
		c.say("\r\n")
		for range 20 * 60 {
			c.say(strings.Repeat("x", 598) + "\r\n")
			time.Sleep(time.Second)
		}
		c.say(".\r\n")
		c.hear("250")
		if len(m.all()) != 1 {
			t.Error("nothing was kept")
		}
	})
}

// TestStalledData: a message that stops arriving is given up, however fast it came before.
func TestStalledData(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{}, func(t *testing.T, _ *memory, l *pipes) {
		c := l.dial(t)
		c.envelope("one@lists.example")
		c.say("BDAT 20000000\r\n" + strings.Repeat("x\r\n", 1_000_000))
		began := time.Now()
		c.hear("421 4.4.2")
		if d := time.Since(began); d > 3*time.Minute+time.Second {
			t.Errorf("cut after %v", d)
		}
	})
}

// TestDataForEver: however steadily it comes, a message has an hour.
func TestDataForEver(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{}, func(t *testing.T, _ *memory, l *pipes) {
		c := l.dial(t)
		c.envelope("one@lists.example")
		c.ask("DATA", "354")
		began := time.Now()
		trickle(t, c, strings.Repeat("x", 10_000)+"\r\n", 10*time.Second)
		c.hear("421 4.4.2")
		if d := time.Since(began); d > time.Hour+time.Second || d < 59*time.Minute {
			t.Errorf("cut after %v", d)
		}
	})
}

// TestWrongPasswords: the first few are answered at once, then ever later, right ones too; the
// tenth ends it, and a new connection begins where the old one ended (S28).
func TestWrongPasswords(t *testing.T) {
	t.Parallel()
	const right, wrong, unknown = "AUTH PLAIN AGFubkBhLmV4YW1wbGUAczNjcmV0", "AUTH PLAIN AGFubkBhLmV4YW1wbGUAeA==", "AUTH PLAIN AG5vYm9keUBhLmV4YW1wbGUAeA=="
	bubble(t, smtpserver.Limits{}, func(t *testing.T, _ *memory, l *pipes) {
		c := l.dial(t)
		c.hear("220")
		c.ask("EHLO client.example", "250")
		var waits []time.Duration
		for n := range 10 {
			began := time.Now()
			want := "535 5.7.8 User or password is wrong"
			if n == 9 {
				want = "421 4.7.0"
			}
			c.ask([]string{wrong, unknown}[n%2], want)
			waits = append(waits, time.Since(began))
		}
		c.hearClose()
		if got := fmt.Sprint(waits); got != "[0s 0s 0s 1s 2s 3s 4s 5s 5s 5s]" {
			t.Errorf("waits %s", got)
		}
		c = l.dial(t)
		c.hear("220")
		c.ask("EHLO client.example", "250")
		began := time.Now()
		c.ask(right, "235")
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("the right one after %v", d)
		}
	})
}

// TestHarvestingSlowsDown: who tries out names waits longer and longer.
func TestHarvestingSlowsDown(t *testing.T) {
	t.Parallel()
	bubble(t, smtpserver.Limits{}, func(t *testing.T, _ *memory, l *pipes) {
		c := l.dial(t)
		c.hear("220")
		c.ask("EHLO client.example", "250")
		c.ask("MAIL FROM:<ann@a.example>", "250")
		began := time.Now()
		for n := range 100 {
			c.ask(fmt.Sprintf("RCPT TO:<name%d@lists.example>", n), "550")
		}
		if d := time.Since(began); d < 80*time.Second || d > 90*time.Second {
			t.Errorf("a hundred names in %v", d)
		}
		c.ask("RCPT TO:<one@lists.example>", "250")
		c.ask("RCPT TO:<name@lists.example>", "421 4.7.0")
	})
}
