package inbound_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"muster/lists"
	"muster/lists/inbound"
	"muster/migrations/testdb"
	"muster/smtp"
	"muster/smtp/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a real server over a real database.
type host struct {
	t       testing.TB
	name    string
	url     string
	pool    *pgxpool.Pool
	lists   *lists.Service
	backend *inbound.Backend
}

func newHost(t testing.TB) *host {
	t.Helper()
	return newHostNamed(t, "mx.lists.example")
}

func newHostNamed(t testing.TB, name string) *host {
	t.Helper()
	h := &host{t: t, name: name, url: testdb.URL(t)}
	pool, err := pgxpool.New(t.Context(), h.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	h.pool = pool
	h.lists = lists.New(pool, lists.Config{Hostname: name})
	h.backend = inbound.New(h.lists, inbound.Config{Hostname: name})
	return h
}

// serve starts a server and returns what dials it.
func (h *host) serve(s *smtpserver.Server, network string) func() net.Conn {
	h.t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(h.t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		h.t.Fatal(err)
	}
	s.Hostname, s.Backend, s.AllowPlainAuth = h.name, h.backend, true
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	h.t.Cleanup(func() {
		if err := s.Shutdown(h.t.Context()); err != nil && h.t.Context().Err() == nil {
			h.t.Errorf("shutdown: %v", err)
		}
		if err := <-done; !errors.Is(err, smtpserver.ErrServerClosed) {
			h.t.Errorf("serve: %v", err)
		}
	})
	return func() net.Conn {
		h.t.Helper()
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { c.Close() })
		return c
	}
}

func trustAll(netip.Addr) bool { return true }

// talk is a conversation from the client's side.
type talk struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func (h *host) talk(conn net.Conn, greeting ...string) *talk {
	h.t.Helper()
	c := &talk{t: h.t, conn: conn, in: bufio.NewReader(conn)}
	c.read()
	for _, line := range greeting {
		c.say(line)
	}
	return c
}

// say sends a line and returns the reply, its lines parted by " / ".
func (c *talk) say(line string) string {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, "%s\r\n", line); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return c.read()
}

func (c *talk) read() string {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	var lines []string
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("after %q: %v", lines, err)
		}
		lines = append(lines, strings.TrimRight(line, "\r\n"))
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, " / ")
		}
	}
}

// want fails unless the reply to a line is, or with a star at its end begins as, the one given.
func (c *talk) want(line, reply string) {
	c.t.Helper()
	got := c.say(line)
	if begin, ok := strings.CutSuffix(reply, "*"); got != reply && !(ok && strings.HasPrefix(got, begin)) {
		c.t.Errorf("%s\n got %s\nwant %s", line, got, reply)
	}
}

// wantAll is want of lines and replies in turn.
func (c *talk) wantAll(turns ...string) {
	c.t.Helper()
	for i := 0; i < len(turns); i += 2 {
		c.want(turns[i], turns[i+1])
	}
}

// send is a whole message; its replies from MAIL to the end of DATA.
func (c *talk) send(from string, to []string, text string) string {
	c.t.Helper()
	c.say("MAIL FROM:<" + from + ">")
	for _, rcpt := range to {
		c.want("RCPT TO:<"+rcpt+">", "250 *")
	}
	c.want("DATA", "354 *")
	return c.say(strings.ReplaceAll(text, "\n", "\r\n") + ".")
}

func auth(user string) string { return authWith(user, password) }

func authWith(user, password string) string {
	return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

const password = "correct horse battery staple"

func (h *host) list(address string, settings map[string]string, owners ...string) lists.List {
	h.t.Helper()
	n := lists.NewList{Address: h.addr(address)}
	for _, o := range owners {
		n.Owners = append(n.Owners, h.addr(o))
	}
	l, err := h.lists.CreateList(h.t.Context(), lists.CLI(), n)
	if err != nil {
		h.t.Fatal(err)
	}
	for key, value := range settings {
		if l, err = h.lists.SetList(h.t.Context(), lists.CLI(), l.ID, []lists.Change{{Key: key, Value: value}}); err != nil {
			h.t.Fatal(err)
		}
	}
	return l
}

// add makes members; the address of a hidden one begins with a minus.
func (h *host) add(l lists.List, members ...string) {
	h.t.Helper()
	for _, m := range members {
		text, hidden := strings.CutPrefix(m, "-")
		box, err := smtp.ParseMailbox(text)
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := h.lists.AddMember(h.t.Context(), lists.CLI(), l.ID, lists.NewMember{Mailbox: box, Hidden: hidden}); err != nil {
			h.t.Fatalf("%s: %v", m, err)
		}
	}
}

func (h *host) person(address string) {
	h.t.Helper()
	if _, err := h.lists.CreatePerson(h.t.Context(), lists.CLI(), lists.NewPerson{Address: h.addr(address), Password: password}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) addr(text string) smtp.Address {
	h.t.Helper()
	a, err := smtp.ParseAddress(text)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *host) count(sql string, args ...any) (n int) {
	h.t.Helper()
	if err := h.pool.QueryRow(h.t.Context(), sql, args...).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}
