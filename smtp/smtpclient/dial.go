package smtpclient

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"muster/smtp"
)

// Dial connects to addr ("host:port", the host a name or an IP address, or the path of a unix socket,
// which begins with a slash), reads the greeting and says EHLO; it starts TLS and signs in as the options say. ctx bounds all of that and nothing
// after it. An error is an *Error.
func Dial(ctx context.Context, addr string, o Options) (*Conn, error) {
	c, err := dial(ctx, addr, &o)
	var failed *Error
	if o.TLS != TLSOpportunistic || !errors.As(err, &failed) || failed.Stage != StageTLS || ctx.Err() != nil {
		return c, err
	}
	if o.Auth != nil && !o.PlainAuth && !isLoopbackHost(addr) {
		return nil, err
	}
	// A handshake that failed has used up the connection: once more without.
	o.TLS = TLSNone
	c, err = dial(ctx, addr, &o)
	if err != nil {
		return nil, err
	}
	c.tlsErr = failed
	return c, nil
}

// dial is one attempt.
func dial(ctx context.Context, addr string, o *Options) (*Conn, error) {
	raw, err := connect(ctx, addr, o)
	if err != nil {
		return nil, &Error{Host: addr, Stage: StageConnect, Err: err}
	}
	c := newConn(addr, raw, o)
	stop := context.AfterFunc(ctx, c.Abort)
	err = c.open(o)
	if !stop() && err == nil {
		err = c.fail(&Error{Stage: StageConnect, Err: ctx.Err()})
	}
	if err != nil {
		c.Abort()
		return nil, withCause(ctx, err)
	}
	return c, nil
}

// withCause names the context's end as the reason where that is what closed the connection.
func withCause(ctx context.Context, err error) error {
	var failed *Error
	if errors.As(err, &failed) && ctx.Err() != nil {
		failed.Err = ctx.Err()
	}
	return err
}

func connect(ctx context.Context, addr string, o *Options) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeouts.withDefaults().Connect)
	defer cancel()
	network := "tcp"
	if isSocket(addr) {
		network = "unix"
	}
	if o.DialContext != nil {
		return o.DialContext(ctx, network, addr)
	}
	// Keep-alive probes find a server that vanished while a connection waits for work.
	d := net.Dialer{KeepAlive: 30 * time.Second}
	return d.DialContext(ctx, network, addr)
}

// open goes from a connection to one that Begin may be called on.
func (c *Conn) open(o *Options) error {
	if o.TLS == TLSImplicit {
		if err := c.handshake(o); err != nil {
			return err
		}
	}
	if err := c.readGreeting(); err != nil {
		return err
	}
	name := c.helloName(o)
	if err := c.hello(name); err != nil {
		return err
	}
	if err := c.startTLS(o, name); err != nil {
		return err
	}
	if o.Auth == nil {
		return nil
	}
	return c.signIn(o)
}

// readGreeting reads the first reply (RFC 5321 §3.1).
func (c *Conn) readGreeting() error {
	c.stream.expect(c.timeouts.Greeting)
	reply, err := c.replies.reply()
	if err != nil {
		return c.fail(&Error{Stage: StageGreeting, Err: err})
	}
	if reply.Code != smtp.CodeReady {
		return c.refused(StageGreeting, reply)
	}
	c.banner = reply.Text()
	return nil
}

// refused ends a connection at a reply that makes it useless.
func (c *Conn) refused(stage Stage, reply *smtp.Reply) *Error {
	if reply == nil || reply.Positive() {
		return c.fail(&Error{Stage: stage, Err: ErrOutOfStep})
	}
	return c.fail(&Error{Stage: stage, Reply: reply, Err: reply})
}

// helloName is Options.Hello or the address literal of the local end (RFC 5321 §4.1.4).
func (c *Conn) helloName(o *Options) string {
	if o.Hello != "" {
		return o.Hello
	}
	local, err := netip.ParseAddrPort(c.raw.LocalAddr().String())
	if err != nil { // not TCP: a DialContext of the caller's
		return "localhost"
	}
	ip := local.Addr().Unmap().WithZone("")
	if ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}

// isSocket says whether an address is that of a unix socket.
func isSocket(addr string) bool { return strings.HasPrefix(addr, "/") }

// hello says EHLO, and HELO to a server that does not know it (RFC 5321 §3.2); LMTP has LHLO, and nothing
// before it (RFC 2033 §4.1).
func (c *Conn) hello(name string) error {
	c.ext = Extensions{}
	verb := "EHLO "
	if c.lmtp {
		verb = "LHLO "
	}
	code, reply, err := c.sayHello(verb, name)
	if err != nil {
		return err
	}
	if code/100 == 5 && !c.lmtp {
		c.ext = Extensions{}
		if code, reply, err = c.sayHello("HELO ", name); err != nil {
			return err
		}
		c.ext = Extensions{} // a HELO answer names none, whatever it looks like
	} else {
		c.ext.Extended = true
	}
	if code != smtp.CodeOK {
		return c.refused(StageHello, reply)
	}
	return nil
}

// sayHello sends one of the two and reads the answer into the extensions.
func (c *Conn) sayHello(verb, name string) (int, *smtp.Reply, error) {
	c.commands = append(append(append(c.commands, verb...), name...), "\r\n"...)
	if err := c.write(StageHello); err != nil {
		return 0, nil, err
	}
	c.stream.expect(c.timeouts.Hello)
	l, err := c.replies.line()
	for n := 1; err == nil && l.code == smtp.CodeOK && l.more; n++ {
		if n == maxLines {
			err = ErrProtocol
			break
		}
		if l, err = c.replies.line(); err == nil && l.code != smtp.CodeOK {
			err = ErrProtocol
		}
		if err == nil {
			c.ext.add(clean(l.text, maxLine))
		}
	}
	var reply *smtp.Reply
	if err == nil && l.code != smtp.CodeOK {
		reply, err = c.replies.rest(l)
	}
	if err := c.check(StageHello, l.code, reply, err); err != nil {
		return 0, nil, err
	}
	return l.code, reply, nil
}

func isLoopbackHost(addr string) bool {
	if isSocket(addr) {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// isLoopback says whether the other end is on this machine.
func (c *Conn) isLoopback() bool {
	if isSocket(c.host) {
		return true
	}
	ap, err := netip.ParseAddrPort(c.raw.RemoteAddr().String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}
