package systemtest

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"muster/migrations/testdb"
)

// newSite makes an installation on a database of its own whose mail all goes to relay.
func newSite(t testing.TB, relay string) *site {
	t.Helper()
	return &site{t: t, database: testdb.URL(t), relay: relay}
}

func host(addr string) string {
	h, _, _ := net.SplitHostPort(addr)
	return h
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

func dialErr(addr string) (net.Conn, error) {
	return net.DialTimeout("tcp", addr, 5*time.Second)
}

// greetErr is dial for a server that may be gone at any moment.
func greetErr(addr string) (*smtpConn, error) {
	c, err := dialErr(addr)
	if err != nil {
		return nil, err
	}
	s := &smtpConn{c: c, br: bufio.NewReader(c)}
	greeting, err := s.reply()
	if err == nil && !strings.HasPrefix(greeting, "220") {
		err = errors.New(greeting)
	}
	if err == nil {
		_, err = s.cmd("EHLO client.example")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}
