package fanout

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/smtp/smtpclient"
)

// rude is a destination that treats its first connections as no server should, and then receives
// like any other.
type rude struct {
	*sink
	left atomic.Int64 // connections to be treated badly
	held atomic.Int64 // bad connections that were begun
}

// newRude treats times connections with bad, which may read what is said to it. The connection is
// closed when bad returns.
func newRude(t *testing.T, times int64, bad func(c net.Conn, r *bufio.Reader)) *rude {
	t.Helper()
	f := &rude{sink: newSink(t)}
	f.left.Store(times)
	go func() {
		for {
			c, err := f.listener.Accept()
			if err != nil {
				return
			}
			f.conns.Store(c, true)
			go func() {
				defer f.conns.Delete(c)
				defer c.Close()
				if f.left.Add(-1) < 0 {
					f.session(c)
					return
				}
				f.held.Add(1)
				bad(c, bufio.NewReader(c))
			}()
		}
	}()
	return f
}

// greet says what a server says up to the answer to EHLO, with extensions.
func greet(c net.Conn, r *bufio.Reader, extensions ...string) {
	io.WriteString(c, "220 rude.example ESMTP\r\n")
	r.ReadString('\n')
	io.WriteString(c, "250-rude.example\r\n")
	for _, e := range extensions {
		io.WriteString(c, "250-"+e+"\r\n")
	}
	io.WriteString(c, "250 HELP\r\n")
}

// commands are all a client has to say.
func commands(r *bufio.Reader) { io.Copy(io.Discard, r) }

// untilEnded writes what again and again until the client has gone away.
func untilEnded(c net.Conn, what string, pause time.Duration) {
	for {
		if _, err := io.WriteString(c, what); err != nil {
			return
		}
		time.Sleep(pause) // the pace of the other side, not a wait
	}
}

// hasty is for tests of servers that say nothing: 1/600 of the times of RFC 5321 §4.5.3.2.
func hasty() smtpclient.Timeouts {
	return smtpclient.Timeouts{
		Connect: time.Second, Greeting: 500 * time.Millisecond, Hello: 500 * time.Millisecond, Mail: 500 * time.Millisecond,
		Rcpt: 500 * time.Millisecond, Data: 500 * time.Millisecond, Block: 500 * time.Millisecond, Dot: time.Second, Quit: 100 * time.Millisecond,
	}
}

// A destination does what breaks the protocol, or nothing at all. Its members get their copies when
// it behaves again, each one; and those of another have theirs before.
func TestRudeDestinations(t *testing.T) {
	t.Parallel()
	const members = 30
	for _, tt := range []struct {
		name string
		bad  func(c net.Conn, r *bufio.Reader)
	}{
		{"421 at connect", func(c net.Conn, _ *bufio.Reader) { io.WriteString(c, "421 4.3.2 not now\r\n") }},
		{"554 at connect", func(c net.Conn, _ *bufio.Reader) { io.WriteString(c, "554 5.3.2 no service here\r\n") }},
		{"hangs up at once", func(net.Conn, *bufio.Reader) {}},
		{"never greets", func(_ net.Conn, r *bufio.Reader) { commands(r) }},
		{"greets one octet at a time", func(c net.Conn, _ *bufio.Reader) { untilEnded(c, "2", 100*time.Millisecond) }},
		{"greets without end", func(c net.Conn, _ *bufio.Reader) { untilEnded(c, "220-hello\r\n", 0) }},
		{"greets in one endless line", func(c net.Conn, _ *bufio.Reader) { untilEnded(c, "220 hello hello hello", 0) }},
		{"answers EHLO without end", func(c net.Conn, r *bufio.Reader) {
			io.WriteString(c, "220 rude.example\r\n")
			r.ReadString('\n')
			untilEnded(c, "250-X\r\n", 0)
		}},
		{"answers nothing after EHLO", func(c net.Conn, r *bufio.Reader) { greet(c, r, "PIPELINING"); commands(r) }},
		{"half closes after EHLO", func(c net.Conn, r *bufio.Reader) {
			greet(c, r, "PIPELINING")
			c.(*net.TCPConn).CloseWrite()
			commands(r)
		}},
		{"answers out of step", func(c net.Conn, r *bufio.Reader) {
			greet(c, r, "PIPELINING")
			io.WriteString(c, strings.Repeat("354 before it was asked\r\n", 5))
			commands(r)
		}},
		{"speaks another protocol", func(c net.Conn, r *bufio.Reader) {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			commands(r)
		}},
		{"hangs up in the middle of a text", func(c net.Conn, r *bufio.Reader) {
			greet(c, r)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if strings.HasPrefix(line, "DATA") {
					io.WriteString(c, "354 go\r\n")
					r.ReadString('\n')
					return
				}
				io.WriteString(c, "250 yes\r\n")
			}
		}},
		{"offers TLS and has none", func(c net.Conn, r *bufio.Reader) {
			greet(c, r, "STARTTLS")
			r.ReadString('\n')
			io.WriteString(c, "220 go\r\nthis is no TLS\r\n")
			commands(r)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 1)
			far, good := newRude(t, 3, tt.bad), newSink(t).serve()
			c := w.rudeConfig(far, good)
			for i := range members {
				w.member(list, fmt.Sprintf("m%d@rude.example", i))
				w.member(list, fmt.Sprintf("m%d@good.example", i))
			}
			e, _ := w.start(c)
			w.post(list, testMessage)
			e.Wake()
			w.finished()
			if far.held.Load() == 0 {
				t.Error("no connection was treated badly")
			}
			far.once(t, members)
			good.once(t, members)
			if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
				t.Errorf("%d bounces of members whose server was there again", n)
			}
		})
	}
}

// A relay that must be spoken to over TLS has a TLS that fails: nothing goes there in plain text, and
// nobody bounces. When less is asked of it, all get their copies.
func TestRequiredTLSThatFails(t *testing.T) {
	t.Parallel()
	const members = 30
	w := newWorld(t)
	list := w.list("dev", 1)
	w.members(list, members, 2)
	var plain atomic.Int64
	far := newRude(t, 1<<30, func(c net.Conn, r *bufio.Reader) {
		greet(c, r, "STARTTLS")
		if line, _ := r.ReadString('\n'); strings.HasPrefix(line, "MAIL") {
			plain.Add(1)
			return
		}
		io.WriteString(c, "220 go\r\nthis is no TLS\r\n")
		commands(r)
	})
	c := w.config(nil)
	quick(&c)
	c.Timeouts = hasty()
	c.Relays = []Relay{{Addr: far.addr(), TLS: smtpclient.TLSRequired}}
	e, stop := w.start(c)
	w.post(list, testMessage)
	e.Wake()
	eventually(t, "several connections", func() bool { return far.held.Load() > 5 })
	eventually(t, "the reason is kept", func() bool {
		return w.count(`SELECT count(*) FROM destination WHERE blocked IS NOT NULL AND reply LIKE '%TLS%'`) == 1
	})
	stop()
	if n := plain.Load(); n != 0 {
		t.Errorf("%d times it began in plain text", n)
	}
	far.left.Store(0)
	c.Relays = far.relay()
	w.start(c)
	w.finished()
	far.once(t, members)
	if n := w.count(`SELECT count(*) FROM bounce`); n != 0 {
		t.Errorf("%d bounces", n)
	}
}

// rudeConfig is a pace at which the rude one is tried again at once, and the way to both.
func (w *world) rudeConfig(far *rude, good *sink) Config {
	c := w.config(nil)
	quick(&c)
	c.Timeouts = hasty()
	c.pace.slot = 300 * time.Millisecond
	c.Resolver = fakeDNS{addrs: map[string][]netip.Addr{"rude.example": addrs("192.0.2.1"), "good.example": addrs("192.0.2.2")}}
	c.DialContext = by(map[string]*sink{"192.0.2.1": far.sink, "192.0.2.2": good})
	return c
}

// A tarpit takes connections and holds them for as long as anybody waits. The copies of another
// destination are all there while the tarpit still has its first connection.
func TestTarpitDelaysNobody(t *testing.T) {
	t.Parallel()
	const members = 300
	w := newWorld(t)
	list := w.list("dev", 1)
	free := make(chan struct{})
	pit := newRude(t, 1<<30, func(c net.Conn, r *bufio.Reader) {
		greet(c, r, "PIPELINING")
		<-free
	})
	t.Cleanup(func() { close(free) })
	good := newSink(t).serve()
	c := w.rudeConfig(pit, good)
	c.Timeouts = smtpclient.Timeouts{} // minutes, as RFC 5321 says
	c.Grace = time.Second
	for i := range members {
		w.member(list, fmt.Sprintf("a%d@rude.example", i)) // before the good ones
		w.member(list, fmt.Sprintf("m%d@good.example", i))
	}
	e := New(w.pool, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	defer func() {
		cancel()
		<-done // an end within the time of grace, whatever the tarpit holds
	}()
	for range 3 {
		w.post(list, testMessage)
	}
	e.Wake()
	eventually(t, "a connection in the tarpit", func() bool { return pit.held.Load() > 0 })
	eventually(t, "all good copies", func() bool { return good.copies.Load() == 3*members })
	if pit.copies.Load() != 0 {
		t.Error("the tarpit let a copy through")
	}
	for to, n := range good.got() {
		if n != 3 {
			t.Errorf("%s got %d copies of 3", to, n)
		}
	}
}

// In a shard of many domains too: those behind a tarpit wait for it once, and no longer than for a
// connection. Its own copy is put off, and comes when it has become a server.
func TestTarpitDelaysNobodyInItsShard(t *testing.T) {
	t.Parallel()
	const others = 40
	for _, tt := range []struct {
		name string
		says string // after EHLO, before it holds on
		text bool   // it reads that before
	}{
		{name: "after EHLO"},
		{name: "after MAIL", says: "250 yes\r\n"},
		{name: "after RCPT", says: "250 yes\r\n250 yes\r\n"},
		{name: "after DATA, with nobody to send to", says: "250 yes\r\n450 not now\r\n354 go\r\n"},
		{name: "after the final dot", says: "250 yes\r\n250 yes\r\n354 go\r\n", text: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := w.list("dev", 1)
			free := make(chan struct{})
			pit := newRude(t, 1<<30, func(c net.Conn, r *bufio.Reader) {
				greet(c, r, "PIPELINING")
				if tt.says != "" {
					r.ReadString('\n') // MAIL, and with it what is pipelined
					io.WriteString(c, tt.says)
				}
				for line := ""; tt.text && line != ".\r\n"; {
					line, _ = r.ReadString('\n')
				}
				<-free
			})
			freed := sync.OnceFunc(func() { close(free) })
			t.Cleanup(freed)
			good := newSink(t).serve()
			c := w.rudeConfig(pit, good)
			c.Timeouts = smtpclient.Timeouts{} // minutes, as RFC 5321 says
			c.Grace = time.Second
			names := c.Resolver.(fakeDNS)
			w.member(list, "x@rude.example") // before the good ones
			for i := range others {
				domain := fmt.Sprintf("z%02d.example", i)
				names.addrs[domain] = addrs("192.0.2.2")
				w.member(list, "x@"+domain)
			}
			w.start(c)
			w.post(list, testMessage)
			eventually(t, "all good copies", func() bool { return good.copies.Load() == others })
			if pit.held.Load() == 0 {
				t.Error("nobody was in the tarpit")
			}
			good.once(t, others)
			if tt.text { // the next post does not wait either
				w.post(list, testMessage)
				eventually(t, "all good copies of the next", func() bool { return good.copies.Load() == 2*others })
			}
			pit.left.Store(0)
			freed()
			w.finished()
			if !tt.text {
				pit.once(t, 1)
			} else if n := pit.copies.Load(); n != 2 {
				t.Errorf("%d copies of two posts", n)
			}
		})
	}
}
