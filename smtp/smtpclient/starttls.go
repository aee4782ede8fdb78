package smtpclient

import (
	"context"
	"crypto/tls"
	"net"

	"muster/smtp"
)

// startTLS asks for STARTTLS where the policy wants it, and says EHLO again (RFC 3207 §4.2).
func (c *Conn) startTLS(o *Options, name string) error {
	policy := c.policy(o)
	must := policy == TLSRequired || policy == TLSEncrypted
	switch {
	case policy == TLSNone || policy == TLSImplicit:
		return nil
	case !c.ext.StartTLS && must:
		return c.fail(&Error{Stage: StageTLS, Err: ErrNoTLS})
	case !c.ext.StartTLS:
		return nil
	}
	c.commands = append(c.commands, "STARTTLS\r\n"...)
	if err := c.write(StageTLS); err != nil {
		return err
	}
	c.stream.expect(c.timeouts.Hello)
	code, reply, err := c.replies.code()
	if err := c.check(StageTLS, code, reply, err); err != nil {
		return err
	}
	switch {
	case code != smtp.CodeReady && must:
		return c.refused(StageTLS, reply)
	case code/100 > 3: // offered and refused: the session goes on as it is (RFC 3207 §4)
		c.tlsErr = reply
		return nil
	case code != smtp.CodeReady || c.replies.Buffered() > 0:
		// Replies from before the handshake must not pass for answers within it.
		return c.fail(&Error{Stage: StageTLS, Err: ErrOutOfStep})
	}
	if err := c.handshake(o); err != nil {
		return err
	}
	return c.hello(name)
}

// policy is the one of the options, made strict where a password depends on it.
func (c *Conn) policy(o *Options) TLSPolicy {
	if (o.TLS == TLSOpportunistic || o.TLS == TLSEncrypted) && o.Auth != nil && !o.PlainAuth && !c.isLoopback() {
		return TLSRequired
	}
	return o.TLS
}

// handshake makes TLS of the connection.
func (c *Conn) handshake(o *Options) error {
	config := &tls.Config{}
	if o.TLSConfig != nil {
		config = o.TLSConfig.Clone()
	}
	config.ServerName = serverName(c.host, o)
	switch p := c.policy(o); {
	case p == TLSOpportunistic || p == TLSEncrypted:
		config.InsecureSkipVerify = true // encrypted to anybody is better than not at all (RFC 7435 §3)
	case o.Verify != nil:
		config.InsecureSkipVerify = true
		config.VerifyConnection = o.Verify // of resumed sessions too
	}
	conn := tls.Client(c.raw, config)
	ctx, cancel := context.WithTimeout(context.Background(), c.timeouts.TLS) // Abort ends it early
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return c.fail(&Error{Stage: StageTLS, Err: err})
	}
	c.use(conn)
	state := conn.ConnectionState()
	c.tlsState = &state
	return nil
}

func serverName(addr string, o *Options) string {
	if o.ServerName != "" {
		return o.ServerName
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
