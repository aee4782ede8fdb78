package smtpclient

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// TLSPolicy says whether a connection is encrypted.
type TLSPolicy int

const (
	// TLSOpportunistic takes STARTTLS where it is offered, whatever the certificate, and goes on
	// in plain text where it is not offered or fails: the habit of mail between servers
	// (RFC 7435). With Options.Auth it means TLSRequired, except on loopback.
	TLSOpportunistic TLSPolicy = iota
	// TLSNone never asks for STARTTLS.
	TLSNone
	// TLSRequired asks for STARTTLS and a certificate valid for the server's name.
	TLSRequired
	// TLSImplicit starts with TLS (smtps, RFC 8314 §3) and asks for a valid certificate.
	TLSImplicit
	// TLSEncrypted asks for STARTTLS, whatever the certificate, and sends nothing without it.
	// With Options.Auth it means TLSRequired, except on loopback.
	TLSEncrypted
)

// Auth is what the client signs in with.
type Auth struct {
	User     string
	Password string
}

// Options says how Dial connects. The zero value connects as mail servers do.
type Options struct {
	// Hello is the name given in EHLO. Empty: the address literal of the local end, which is what
	// RFC 5321 §4.1.1.1 wants of a client without a name.
	Hello string
	TLS   TLSPolicy
	// LMTP speaks LMTP (RFC 2033) in place of SMTP.
	LMTP bool
	// TLSConfig holds roots, client certificates and a session cache; nil is Go's default.
	TLSConfig *tls.Config
	// ServerName is the name the certificate must carry. Empty: the host of the address dialled.
	ServerName string
	// Verify, where it is set, judges the server's certificate under TLSRequired and TLSImplicit in
	// place of Go: by something else than roots and ServerName, which is still what the server is told
	// (SNI). Its error ends the connection.
	Verify func(tls.ConnectionState) error
	// Auth is given only over TLS with a valid certificate or on loopback, unless PlainAuth.
	Auth *Auth
	// PlainAuth lets Auth go over a connection without verified TLS.
	PlainAuth bool
	// LockStep does without PIPELINING even where it is offered.
	LockStep bool
	Timeouts Timeouts
	// DialContext replaces the dialler, for a local address or a proxy.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Timeouts bounds each wait. A zero field is the time RFC 5321 §4.5.3.2 gives. A wait for a
// reply is for all of it: a server that sends an octet now and then does not get more.
type Timeouts struct {
	Connect  time.Duration // 30 s; the standard has none
	Greeting time.Duration // 5 min
	Hello    time.Duration // 5 min, also RSET and AUTH
	TLS      time.Duration // 1 min for the handshake
	Mail     time.Duration // 5 min
	Rcpt     time.Duration // 5 min
	Data     time.Duration // 2 min for the 354
	Block    time.Duration // 3 min for each write of up to 256 KiB
	Dot      time.Duration // 10 min for the answer to the final dot
	Quit     time.Duration // 5 s
}

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&t.Connect, 30*time.Second)
	set(&t.Greeting, 5*time.Minute)
	set(&t.Hello, 5*time.Minute)
	set(&t.TLS, time.Minute)
	set(&t.Mail, 5*time.Minute)
	set(&t.Rcpt, 5*time.Minute)
	set(&t.Data, 2*time.Minute)
	set(&t.Block, 3*time.Minute)
	set(&t.Dot, 10*time.Minute)
	set(&t.Quit, 5*time.Second)
	return t
}
