package smtptest

import (
	"crypto/tls"
	"time"
)

// Option changes what NewServer starts.
type Option func(*options)

type options struct {
	discard  bool
	startTLS bool
	implicit bool
	rtt      time.Duration
	maxRcpt  int
	hidden   []string
	users    map[string]string
	cert     *tls.Certificate
}

// Discard counts copies, and keeps neither messages nor who got what: for benchmarks.
func Discard() Option { return func(o *options) { o.discard = true } }

// StartTLS offers STARTTLS with a certificate that ClientTLS trusts.
func StartTLS() Option { return func(o *options) { o.startTLS = true } }

// Certificate offers STARTTLS with a certificate of the test's own, which ClientTLS knows nothing of.
func Certificate(c tls.Certificate) Option { return func(o *options) { o.cert = &c } }

// ImplicitTLS speaks TLS from the start, with the certificate of one of the two above.
func ImplicitTLS() Option { return func(o *options) { o.implicit = true } }

// RTT makes the server as far away as a round trip of d: everything it says arrives d later.
func RTT(d time.Duration) Option { return func(o *options) { o.rtt = d } }

// MaxRecipients refuses recipients of a transaction beyond n with 452 4.5.3; EHLO says so (RFC
// 9422).
func MaxRecipients(n int) Option { return func(o *options) { o.maxRcpt = n } }

// Hide leaves an extension out of the answer to EHLO, like "PIPELINING".
func Hide(keyword string) Option {
	return func(o *options) { o.hidden = append(o.hidden, keyword) }
}

// User lets that user sign in.
func User(name, password string) Option {
	return func(o *options) {
		if o.users == nil {
			o.users = make(map[string]string)
		}
		o.users[name] = password
	}
}
