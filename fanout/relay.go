package fanout

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"muster/smtp/smtpclient"
)

// ErrRelay is a relay URL that cannot be used.
var ErrRelay = errors.New("a relay is smtp://[user:password@]host:port or smtps://[user:password@]host:port")

// Relay is the server that takes all mail, where there is one.
type Relay struct {
	Addr string // host:port
	TLS  smtpclient.TLSPolicy
	Auth *smtpclient.Auth
}

// ParseRelay reads smtp://[user:password@]host[:port], encrypted by STARTTLS where it is offered,
// or smtps://, encrypted from the start. The ports default to 25 and 465.
func ParseRelay(s string) (*Relay, error) {
	u, err := url.Parse(s)
	if err != nil { // its text would show the password
		return nil, ErrRelay
	}
	r := &Relay{}
	port := u.Port()
	switch u.Scheme {
	case "smtp":
		r.TLS = smtpclient.TLSOpportunistic
		port = orDefault(port, "25")
	case "smtps":
		r.TLS = smtpclient.TLSImplicit
		port = orDefault(port, "465")
	default:
		return nil, fmt.Errorf("scheme %q: %w", u.Scheme, ErrRelay)
	}
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), ErrRelay)
	}
	r.Addr = net.JoinHostPort(u.Hostname(), port)
	if u.User != nil {
		password, _ := u.User.Password()
		r.Auth = &smtpclient.Auth{User: u.User.Username(), Password: password}
	}
	return r, nil
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
