package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"muster/fanout"
	"muster/smtp"
)

const (
	none       = "none"
	unixPrefix = "unix:"
)

// complete fills in the defaults that depend on the machine and on other settings.
func (c *Config) complete(environ []string) {
	if c.DataDir == "" {
		c.DataDir = DefaultDataDir(environ)
	}
	if dir, err := filepath.Abs(c.DataDir); err == nil {
		c.DataDir = dir
	}
	if c.Hostname == "" {
		c.Hostname = "localhost"
		if name, err := os.Hostname(); err == nil && checkHostname(name) == nil {
			c.Hostname = name
		}
	}
	if c.AuthservID == "" {
		c.AuthservID = c.Hostname
	}
	if c.BaseURL == "" {
		c.BaseURL = c.siteURL()
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	for _, list := range []*[]string{&c.SMTPListen, &c.LMTPListen, &c.TrustedNetwork} {
		if slices.Equal(*list, []string{none}) {
			*list = nil
		}
	}
}

// siteURL is the site's address as far as the listener's tells.
func (c *Config) siteURL() string {
	host, port, err := net.SplitHostPort(c.HTTPListen)
	if err != nil || strings.HasPrefix(c.HTTPListen, unixPrefix) {
		return "http://" + c.Hostname
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = c.Hostname
	}
	return "http://" + net.JoinHostPort(host, port)
}

// ListensOn completes the settings with the address that the site's listener has got, where the
// configuration left its port, and the site's URL, open.
func (c *Config) ListensOn(a net.Addr) {
	host, port, err := net.SplitHostPort(c.HTTPListen)
	_, got, errGot := net.SplitHostPort(a.String())
	if err != nil || errGot != nil || port != "0" {
		return
	}
	c.HTTPListen = net.JoinHostPort(host, got)
	if c.origin["base_url"] == fromDefault {
		c.BaseURL = c.siteURL()
	}
}

// DefaultDataDir is where state goes that nobody named a place for: /var/lib as root, else where
// the XDG base directories have it.
func DefaultDataDir(environ []string) string {
	if os.Geteuid() == 0 {
		return "/var/lib/muster"
	}
	get := func(name string) string {
		for _, e := range environ {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		return ""
	}
	if dir := get("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "muster")
	}
	return filepath.Join(get("HOME"), ".local", "share", "muster")
}

// check finds what no single value shows to be wrong.
func (c *Config) check() error {
	for _, one := range []struct {
		key string
		err error
	}{
		{"roles", c.checkRoles()},
		{"hostname", checkHostname(c.Hostname)},
		{"smtp_listen", checkListen(c.SMTPListen...)},
		{"lmtp_listen", checkListen(c.LMTPListen...)},
		{"http_listen", checkListen(c.HTTPListen)},
		{"trusted_network", checkNetworks(c.TrustedNetwork)},
		{"trusted_proxies", checkNetworks(c.TrustedProxies)},
		{"authserv_id", checkHostname(c.AuthservID)},
		{"trusted_authserv_id", checkAuthserv(c.TrustedAuthservID)},
		{"tls_key", checkPair(c.TLSCert, c.TLSKey)},
		{"base_url", checkBaseURL(c.BaseURL)},
		{"relay", checkRelays(c.Relay)},
		{"rate", checkWith(fanout.ParseRate, c.Rate)},
		{"window_limit", checkWith(fanout.ParseWindow, c.WindowLimit)},
		{"max_refused", checkPercent(c.MaxRefused)},
		{"redirect_all_to", checkRedirect(c.RedirectAllTo)},
		{"tls_out", checkEncryption(c.TLSOut)},
		{"destination", checkDestinations(c.Destination)},
		{"resolver", checkResolver(c.Resolver)},
		{"log_level", oneOf(c.LogLevel, "debug", "info", "warn", "error")},
		{"log_format", oneOf(c.LogFormat, "text", "json")},
	} {
		if one.err != nil {
			return fmt.Errorf("%s: %s: %w", c.origin[one.key], one.key, one.err)
		}
	}
	return nil
}

func (c *Config) checkRoles() error {
	if len(c.Roles) == 0 {
		return fmt.Errorf("a node without a role does nothing; give one of smtp, fanout, clock, admin")
	}
	for _, r := range c.Roles {
		if err := oneOf(r, RoleSMTP, RoleFanout, RoleClock, RoleAdmin); err != nil {
			return err
		}
	}
	return nil
}

// checkAuthserv wants what can stand in Authentication-Results without quotes (RFC 8601 §2.5).
func checkAuthserv(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) }) {
		return fmt.Errorf("%q is not a name as it stands in Authentication-Results, such as mx.example.org", s)
	}
	return nil
}

// checkHostname wants what may stand in a greeting, in ASCII (RFC 5321 §2.3.5).
func checkHostname(s string) error {
	key, err := smtp.DomainKey(s)
	if err != nil {
		return fmt.Errorf("%q is not a domain name such as mx.lists.example", s)
	}
	if !strings.EqualFold(key, s) {
		return fmt.Errorf("%q is not ASCII; write %s", s, key)
	}
	return nil
}

func oneOf(value string, values ...string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", value, strings.Join(values, ", "))
}

func checkListen(addresses ...string) error {
	for _, a := range addresses {
		if path, ok := strings.CutPrefix(a, unixPrefix); ok {
			if path == "" {
				return fmt.Errorf("%q names no socket; write unix:PATH", a)
			}
			continue
		}
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("%q is neither host:port nor unix:PATH", a)
		}
	}
	return nil
}

func checkNetworks(networks []string) error {
	for _, n := range networks {
		if _, err := ParseNetwork(n); err != nil {
			return err
		}
	}
	return nil
}

// ParseNetwork reads a network such as 192.0.2.0/24, or one address.
func ParseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 192.0.2.0/24 or 2001:db8::/32, nor %q alone", s, none)
	}
	return p.Masked(), nil
}

func checkPair(cert, key string) error {
	if (cert == "") != (key == "") {
		return fmt.Errorf("tls_cert and tls_key go together; give both or neither")
	}
	return nil
}

func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an address such as https://lists.example", s)
	}
	return nil
}

func checkRelays(relays []Relay) error {
	for _, r := range relays {
		if err := checkRelay(r); err != nil {
			return err
		}
		if err := checkPatterns(slices.Concat(r.ForListDomain, r.ForRecipientDomain)); err != nil {
			return err
		}
	}
	return nil
}

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := fanout.ParsePattern(p); err != nil {
			return err
		}
	}
	return nil
}

func checkEncryption(s string) error {
	_, err := fanout.ParseEncryption(s)
	return err
}

func checkDestinations(destinations []Destination) error {
	for i, d := range destinations {
		if len(d.Match) == 0 {
			return fmt.Errorf("table %d has no match, and so is for nothing", i+1)
		}
		if err := checkPatterns(d.Match); err != nil {
			return err
		}
		if _, err := fanout.ParseRate(d.Rate); err != nil {
			return err
		}
		if _, err := fanout.ParseEncryption(d.TLS); err != nil {
			return err
		}
	}
	return nil
}

func checkRelay(s Relay) error {
	r, err := fanout.ParseRelay(s.URL)
	switch {
	case errors.Is(err, fanout.ErrLMTPPort), errors.Is(err, fanout.ErrPlainHTTP):
		return fmt.Errorf("%q: %w", hidePassword(s.URL), err)
	case err != nil:
		return fmt.Errorf("%q is not one: %w", hidePassword(s.URL), fanout.ErrRelay)
	}
	r.Token = s.Token
	if err := r.CheckToken(); err != nil {
		return fmt.Errorf("%q: %w", hidePassword(s.URL), err)
	}
	return nil
}

func checkWith(parse func(string) (fanout.Rate, error), s string) error {
	_, err := parse(s)
	return err
}

func checkPercent(n int) error {
	if n > 100 {
		return fmt.Errorf("%d of a hundred is more than all", n)
	}
	return nil
}

// checkRedirect wants an address that every server can be given.
func checkRedirect(s string) error {
	if s == "" {
		return nil
	}
	a, err := smtp.ParseAddress(s)
	if err != nil {
		return fmt.Errorf("%q is not an address such as test@lists.example", s)
	}
	if !a.ASCII() {
		return fmt.Errorf("%q is not ASCII, which not every server takes", s)
	}
	return nil
}

func checkResolver(s string) error {
	if s == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		if _, err := netip.ParseAddr(s); err != nil {
			return fmt.Errorf("%q is not the host:port of a DNS server", s)
		}
	}
	return nil
}

// Has says whether the node has a role.
func (c *Config) Has(role string) bool { return slices.Contains(c.Roles, role) }

// Trusted says of an address whether it lies in a trusted network.
func (c *Config) Trusted() func(netip.Addr) bool {
	networks := make([]netip.Prefix, 0, len(c.TrustedNetwork))
	for _, n := range c.TrustedNetwork {
		if p, err := ParseNetwork(n); err == nil { // check has seen them all
			networks = append(networks, p)
		}
	}
	return func(a netip.Addr) bool {
		if !a.IsValid() { // on a unix socket, which is the machine's own unless nobody is trusted
			return len(networks) > 0
		}
		a = a.Unmap().WithZone("")
		return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
	}
}
